-- The administration of users: temporary passwords, what a role was before, and two admins who change each other at once.

-- Writes the fields that p_changes names (full_name, email, phone, role, is_active; null removes a phone) and returns those
-- that were different before. Not callable by people: the two functions below say who may change what.
create or replace function private.write_user(p_user_id uuid, p_changes jsonb) returns text[]
  language plpgsql security definer set search_path = '' as $$
declare
  old public.users;
  new public.users;
  changed text[];
  broken text;
begin
  -- not `for update`: that would wait for every audit entry of theirs under way, and two admins who change each other for ever
  select u.* into old from public.users u where u.id = p_user_id for no key update;
  if not found then
    raise exception 'there is no such user' using errcode = 'BT404',
      detail = 'Nobody has this id.', hint = 'Reload the list of users.';
  end if;
  new := jsonb_populate_record(old, p_changes);
  new.full_name := btrim(new.full_name);
  new.email := btrim(new.email);
  new.phone := nullif(btrim(new.phone), '');
  changed := array(
    select f.name from (values (1, 'full_name', new.full_name is distinct from old.full_name), (2, 'email', new.email is distinct from old.email),
                               (3, 'phone', new.phone is distinct from old.phone), (4, 'role', new.role is distinct from old.role),
                               (5, 'is_active', new.is_active is distinct from old.is_active)) f (place, name, differs)
     where f.differs order by f.place);
  if cardinality(changed) > 0 then
    update public.users u
       set full_name = new.full_name, email = new.email, phone = new.phone, role = new.role, is_active = new.is_active,
           updated_at = public.task_now()
     where u.id = p_user_id;
  end if;
  return changed;
exception when unique_violation then
  get stacked diagnostics broken = constraint_name;
  perform private.refuse_taken_name(broken);
end $$;

drop function private.change_user(uuid, jsonb);

-- role_before: what they were until now, also when that was not changed.
create function private.change_user(p_user_id uuid, p_changes jsonb, out changed text[], out role_before text)
  language plpgsql security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  if p_user_id = (select auth.uid()) and private.is_person()
     and (p_changes ->> 'is_active' = 'false' or coalesce(p_changes ->> 'role', 'admin') <> 'admin') then
    raise exception 'you cannot take your own rights away' using errcode = 'BT409',
      detail = 'It would end your session and lock you out.', hint = 'Ask another administrator.';
  end if;
  select u.role into role_before from public.users u where u.id = p_user_id for no key update;
  changed := private.write_user(p_user_id, p_changes - array(select k from jsonb_object_keys(p_changes) k
                                                             where k not in ('full_name', 'email', 'phone', 'role', 'is_active')));
end $$;

-- Takes an account's password away, until give_temporary_password brings another: their sessions end, reset links are void,
-- the lock goes, and nobody signs in with what was known before. Returns how many sessions it ended.
create function private.take_password(p_user_id uuid) returns integer
  language plpgsql security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  if p_user_id = (select auth.uid()) and private.is_person() then
    raise exception 'you cannot reset your own password here' using errcode = 'BT409',
      detail = 'It would sign you out before the new one has come.', hint = 'Change it on your profile, or ask another administrator.';
  end if;
  delete from private.credentials c where c.user_id = p_user_id;
  update public.users u set must_change_password = true, updated_at = public.task_now() where u.id = p_user_id;
  if not found then
    raise exception 'there is no such user' using errcode = 'BT404', detail = 'Nobody has this id.', hint = 'Reload the list of users.';
  end if;
  delete from private.one_time_links l where l.user_id = p_user_id;
  perform private.unlock_user(p_user_id);
  return private.end_sessions(p_user_id, 'an administrator reset your password');
end $$;

-- A password that somebody else has made: good for a day, and for nothing but choosing one's own. It replaces no password
-- that its person chose: then nothing is done, and null returned. Otherwise until when it is good.
create function private.give_temporary_password(p_user_id uuid, p_password_hash text) returns timestamptz
  language plpgsql security definer set search_path = '' as $$
declare
  good_until constant timestamptz := public.task_now() + interval '24 hours';
begin
  perform private.must_manage_users();
  perform from private.credentials c where c.user_id = p_user_id for update;   -- first, as whoever changes their own does
  if not exists (select from public.users u where u.id = p_user_id and u.must_change_password) then
    return null;
  end if;
  perform private.set_password(p_user_id, p_password_hash, good_until);
  return good_until;
end $$;

drop function private.list_users();

-- Everybody, as administrators see them: with their locks, open sessions, and until when a temporary password is good.
create function private.list_users()
  returns table (id uuid, username text, full_name text, email text, phone text, role text, is_active boolean, must_change_password boolean,
                 last_login timestamptz, created_at timestamptz, failed_login_attempts integer, locked_until timestamptz, open_sessions integer,
                 temporary_until timestamptz)
  language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  return query
    select u.id, u.username, u.full_name, u.email, u.phone, u.role, u.is_active, u.must_change_password, u.last_login, u.created_at,
           coalesce(g.failed, 0), g.locked_until,
           (select count(*)::integer from private.open_sessions(u.id)), c.temporary_until
      from public.users u
      left join private.credentials c on c.user_id = u.id
      left join lateral (
        select sum(x.failed)::integer as failed, max(x.locked_until) filter (where x.locked_until > public.task_now()) as locked_until
          from private.sign_in_guesses x where x.name_hash = private.name_hash(u.username)) g on true
     order by lower(u.full_name), u.id;
end $$;

-- What went to an address which is no longer theirs opens nothing any more, whoever has changed the address: neither a link
-- nor a temporary password that its person has not used.
create or replace function private.void_links_to_old_address() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  delete from private.one_time_links l where l.user_id = new.id and l.used_at is null;
  delete from private.credentials c where c.user_id = new.id and c.temporary_until is not null;
  return new;
end $$;

revoke execute on function private.change_user(uuid, jsonb), private.take_password(uuid), private.give_temporary_password(uuid, text),
                           private.list_users() from public;
grant execute on function private.change_user(uuid, jsonb), private.take_password(uuid), private.give_temporary_password(uuid, text),
                          private.list_users() to authenticated, service_role;

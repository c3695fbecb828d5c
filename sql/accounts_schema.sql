-- Looking after accounts: the profile, the people of the office, links for those who have no password yet, and how often a
-- stranger may knock.
--
-- Needs users_schema.sql and audit_logs_schema.sql. People call the functions of the first part in their own name: each
-- asks here, not only in the API, whether they may. A function that changes a record returns the names of the fields that
-- really changed, which is what the audit entry says.

-- ── Proof ───────────────────────────────────────────────────────────────────────────────────────────────────────
-- What could take an account away from its person asks for the password again. The API judges it and notes a right one with
-- the session, here; so no request can claim a proof, and a proof serves the session it was given in, for five minutes.

create function private.note_proof(p_session_id uuid) returns void
  language sql security definer set search_path = '' as $$
  update public.user_sessions s set proved_at = public.task_now() where s.id = p_session_id and s.ended_at is null
$$;

create function private.my_session() returns uuid
  language sql stable set search_path = '' as $$ select nullif(auth.jwt() ->> 'session_id', '')::uuid $$;

create function private.ask_for_password(p_for text) returns void
  language plpgsql stable set search_path = '' as $$
begin
  raise exception 'current password is required %', p_for using errcode = 'BT400', column = 'currentPassword',
    hint = 'Type your current password, then try again.';
end $$;


-- ── People ──────────────────────────────────────────────────────────────────────────────────────────────────────

create function private.must_manage_users() returns void
  language plpgsql stable security definer set search_path = '' as $$
begin
  if private.is_person() and not private.may('manage_users') then
    raise exception 'only administrators look after users' using errcode = 'BT403',
      detail = 'Your role does not include it.', hint = 'Ask an administrator.';
  end if;
end $$;

create function private.refuse_taken_name(p_constraint text) returns void
  language plpgsql stable set search_path = '' as $$
begin
  if p_constraint = 'users_email_key' then
    raise exception 'email already in use' using errcode = 'BT409', column = 'email', hint = 'Another account has this address; use another one.';
  end if;
  raise exception 'username already in use' using errcode = 'BT409', column = 'username',
    detail = 'Somebody signs in with this name, or did; names are never given twice.', hint = 'Use another one, or open that account.';
end $$;

-- Writes the fields that p_changes names (full_name, email, phone, role, is_active; null removes a phone) and returns those
-- that were different before. Not callable by people: the two functions below say who may change what.
create function private.write_user(p_user_id uuid, p_changes jsonb) returns text[]
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

-- One's own name, e-mail address and telephone: those of full_name, email, phone that p_changes has. Through the last two
-- somebody who has lost their password is reached, so they ask for it again, each time (OWASP ASVS 7.5.1).
create function private.save_profile(p_changes jsonb) returns text[]
  language plpgsql security definer set search_path = '' as $$
declare
  me constant uuid := private.acting_user(null);
  changed text[];
begin
  if exists (select from public.users u where u.id = me and lower(u.email) = lower(btrim(p_changes ->> 'email'))) then
    p_changes := p_changes - 'email';
  end if;
  changed := private.write_user(me, p_changes - array(select k from jsonb_object_keys(p_changes) k where k not in ('full_name', 'email', 'phone')));
  if changed && '{email,phone}' and private.is_person() then
    update public.user_sessions s set proved_at = null where s.id = private.my_session() and s.proved_at > public.task_now() - interval '5 minutes';
    if not found then
      perform private.ask_for_password('to change e-mail or phone');
    end if;
  end if;
  return changed;
end $$;

create function private.create_user(p_username text, p_full_name text, p_email text, p_phone text, p_role text, p_is_active boolean default true)
  returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  who uuid;
  broken text;
begin
  perform private.must_manage_users();
  insert into public.users (username, email, full_name, phone, role, is_active)
       values (lower(btrim(p_username)), btrim(p_email), btrim(p_full_name), nullif(btrim(p_phone), ''), p_role, p_is_active) returning id into who;
  return who;
exception when unique_violation then
  get stacked diagnostics broken = constraint_name;
  perform private.refuse_taken_name(broken);
end $$;

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

-- Forgets the wrong passwords of a name. False when there was no lock and no count.
create function private.unlock_user(p_user_id uuid) returns boolean
  language plpgsql security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  delete from private.sign_in_guesses g using public.users u where u.id = p_user_id and g.name_hash = private.name_hash(u.username);
  return found;
end $$;

-- Ends one session, or with p_session_id null all of them: one's own, or, for administrators, anybody's. A session of one's
-- own in another place asks for the password, unless it was given in the last five minutes, here or to sign in (ASVS 7.5.2).
create function private.sign_out(p_user_id uuid, p_session_id uuid default null) returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  mine boolean := p_user_id = private.my_id();
begin
  if not coalesce(mine, false) then
    perform private.must_manage_users();
  elsif private.is_person() and p_session_id is distinct from private.my_session()
        and not exists (select from public.user_sessions s where s.id = private.my_session()
                           and greatest(s.created_at, s.proved_at) > public.task_now() - interval '5 minutes') then
    perform private.ask_for_password('to sign out in other places');
  end if;
  if p_session_id is null then
    return private.end_sessions(p_user_id, case when mine then 'signed out everywhere' else 'by an administrator' end);
  end if;
  if not exists (select from public.user_sessions s where s.id = p_session_id and s.user_id = p_user_id) then
    raise exception 'there is no such session' using errcode = 'BT404',
      detail = 'It is not one of that person''s.', hint = 'Reload the list.';
  end if;
  return private.end_session(p_session_id, case when mine then 'signed out from another place' else 'by an administrator' end)::integer;
end $$;

-- The sessions that are alive. One's own; administrators anybody's.
create function private.open_sessions(p_user_id uuid)
  returns table (id uuid, created_at timestamptz, expires_at timestamptz, last_activity_at timestamptz, user_agent text, ip_address inet)
  language plpgsql stable security definer set search_path = '' as $$
begin
  if p_user_id is distinct from private.my_id() then
    perform private.must_manage_users();
  end if;
  return query
    select s.id, s.created_at, s.expires_at, s.last_activity_at, s.user_agent, s.ip_address
      from public.user_sessions s cross join lateral private.session_state(s.user_id, s.id) st
     where s.user_id = p_user_id and st.refused is null
     order by s.last_activity_at desc, s.id;
end $$;

-- Everybody, as administrators see them: with their locks, open sessions, and until when a temporary password is good.
create function private.list_users()
  returns table (id uuid, username text, full_name text, email text, phone text, role text, is_active boolean, must_change_password boolean,
                 last_login timestamptz, created_at timestamptz, failed_login_attempts integer, locked_until timestamptz, open_sessions integer,
                 temporary_until timestamptz, driver_id uuid, client_id uuid, linked_to text)
  language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  return query
    select u.id, u.username, u.full_name, u.email, u.phone, u.role, u.is_active, u.must_change_password, u.last_login, u.created_at,
           coalesce(g.failed, 0), g.locked_until,
           (select count(*)::integer from private.open_sessions(u.id)), c.temporary_until, u.driver_id, u.client_id,
           coalesce((select d.name from public.drivers d where d.id = u.driver_id),
                    (select k.full_name || ' (' || k.knumber || ')' from public.clients k where k.id = u.client_id))
      from public.users u
      left join private.credentials c on c.user_id = u.id
      left join lateral (
        select sum(x.failed)::integer as failed, max(x.locked_until) filter (where x.locked_until > public.task_now()) as locked_until
          from private.sign_in_guesses x where x.name_hash = private.name_hash(u.username)) g on true
     order by lower(u.full_name), u.id;
end $$;


-- ── Links for those who have no password ────────────────────────────────────────────────────────────────────────
-- Opaque and good once; only their SHA-256 is kept. `reset` goes to a person's e-mail address; `setup` is printed by the
-- first start, makes the first administrator, and is void as soon as there is one.

create table private.one_time_links (
  token_hash bytea primary key,
  purpose    text not null,
  user_id    uuid references public.users on delete cascade,
  made_at    timestamptz not null default public.task_now(),
  expires_at timestamptz not null,
  used_at    timestamptz,
  constraint known_purpose       check (purpose in ('reset', 'setup')),
  constraint a_reset_is_somebodys check ((purpose = 'reset') = (user_id is not null))
);
create index one_time_links_user on private.one_time_links (user_id);

-- A new link voids the earlier ones for the same purpose and person.
create function private.put_link(p_purpose text, p_user_id uuid, p_token_hash bytea, p_life interval) returns timestamptz
  language plpgsql security definer set search_path = '' as $$
begin
  delete from private.one_time_links l where l.purpose = p_purpose and l.user_id is not distinct from p_user_id;
  insert into private.one_time_links (token_hash, purpose, user_id, expires_at)
       values (p_token_hash, p_purpose, p_user_id, public.task_now() + p_life);
  return public.task_now() + p_life;
end $$;

-- Whose link it is, while it is good: no row otherwise. For the page, before a new password is typed and judged.
create function private.find_link(p_purpose text, p_token_hash bytea)
  returns table (user_id uuid, username text, full_name text)
  language sql stable security definer set search_path = '' as $$
  select u.id, u.username, u.full_name
    from private.one_time_links l left join public.users u on u.id = l.user_id
   where l.token_hash = p_token_hash and l.purpose = p_purpose and l.used_at is null and l.expires_at > public.task_now()
     and (l.purpose <> 'reset' or u.is_active)
     and (l.purpose <> 'setup' or not exists (select from public.users a where a.role = 'admin'))
$$;

-- Uses a link up: true for the one caller who may go on.
create function private.use_link(p_purpose text, p_token_hash bytea) returns boolean
  language plpgsql security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtext('backhaul.admins'));
  update private.one_time_links l set used_at = public.task_now()
   where l.token_hash = p_token_hash and exists (select from private.find_link(p_purpose, p_token_hash));
  return found;
end $$;

-- What went to an address which is no longer theirs opens nothing any more, whoever has changed the address: neither a link
-- nor a temporary password that its person has not used.
create function private.void_links_to_old_address() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  delete from private.one_time_links l where l.user_id = new.id and l.used_at is null;
  delete from private.credentials c where c.user_id = new.id and c.temporary_until is not null;
  return new;
end $$;
create trigger users_void_links after update of email on public.users
  for each row when (lower(old.email) <> lower(new.email)) execute function private.void_links_to_old_address();

create function private.has_admin() returns boolean
  language sql stable security definer set search_path = '' as $$ select exists (select from public.users u where u.role = 'admin') $$;


-- ── How often strangers may knock ───────────────────────────────────────────────────────────────────────────────
-- A token bucket for each door and visitor, shared by all processes. Unlogged: after a crash everybody starts afresh.

create unlogged table private.visitors (
  door    text not null,
  visitor text not null,
  tokens  double precision not null,
  seen_at timestamptz not null,
  primary key (door, visitor)
);
create index visitors_seen on private.visitors (seen_at);

-- Takes p_units (none, to look only). Returns the seconds to wait; 0 lets the visitor in, and only then anything is taken.
create function private.knock(p_door text, p_visitor text, p_per_minute double precision, p_burst double precision, p_units double precision default 1)
  returns double precision
  language plpgsql security definer set search_path = '' as $$
declare
  wanted constant double precision := greatest(p_units, 1);
  there double precision;
begin
  insert into private.visitors (door, visitor, tokens, seen_at) values (p_door, p_visitor, p_burst, public.task_now())
  on conflict do nothing;
  select least(p_burst, v.tokens + p_per_minute / 60 * greatest(0, extract(epoch from public.task_now() - v.seen_at))) into there
    from private.visitors v where v.door = p_door and v.visitor = p_visitor for update;
  if there < wanted then
    return (wanted - there) * 60 / p_per_minute;
  end if;
  update private.visitors v set tokens = there - p_units, seen_at = public.task_now()
   where v.door = p_door and v.visitor = p_visitor;
  return 0;
end $$;

create function private.prune_accounts() returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  gone integer;
begin
  delete from private.visitors v where v.seen_at < public.task_now() - interval '1 day';
  delete from private.one_time_links l where l.expires_at < public.task_now() - interval '30 days';
  get diagnostics gone = row_count;
  return gone;
end $$;


-- ── Who may call what ───────────────────────────────────────────────────────────────────────────────────────────

revoke execute on all functions in schema private from public;
grant execute on function private.save_profile(jsonb), private.create_user(text, text, text, text, text, boolean),
                          private.change_user(uuid, jsonb), private.take_password(uuid), private.give_temporary_password(uuid, text),
                          private.unlock_user(uuid), private.sign_out(uuid, uuid),
                          private.open_sessions(uuid), private.list_users() to authenticated, service_role;
grant execute on function private.put_link(text, uuid, bytea, interval), private.find_link(text, bytea), private.use_link(text, bytea),
                          private.has_admin(), private.note_proof(uuid), private.knock(text, text, double precision, double precision, double precision),
                          private.prune_accounts() to service_role;

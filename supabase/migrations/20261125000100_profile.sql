-- The profile: which changes ask for the password again, and what a changed address voids.

alter table public.user_sessions add column proved_at timestamptz;

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

drop function private.save_profile(text, text, text);

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

create or replace function private.refuse_taken_name(p_constraint text) returns void
  language plpgsql stable set search_path = '' as $$
begin
  if p_constraint = 'users_email_key' then
    raise exception 'email already in use' using errcode = 'BT409', column = 'email', hint = 'Another account has this address; use another one.';
  end if;
  raise exception 'username already in use' using errcode = 'BT409', column = 'username',
    detail = 'Somebody signs in with this name, or did; names are never given twice.', hint = 'Use another one, or open that account.';
end $$;

-- Ends one session, or with p_session_id null all of them: one's own, or, for administrators, anybody's. A session of one's
-- own in another place asks for the password, unless it was given in the last five minutes, here or to sign in (ASVS 7.5.2).
create or replace function private.sign_out(p_user_id uuid, p_session_id uuid default null) returns integer
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

-- A link that went to an address which is no longer theirs opens nothing any more, whoever has changed the address.
create function private.void_links_to_old_address() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  delete from private.one_time_links l where l.user_id = new.id and l.used_at is null;
  return new;
end $$;
create trigger users_void_links after update of email on public.users
  for each row when (lower(old.email) <> lower(new.email)) execute function private.void_links_to_old_address();

revoke execute on function private.note_proof(uuid), private.my_session(), private.ask_for_password(text), private.save_profile(jsonb),
                           private.void_links_to_old_address() from public;
grant execute on function private.save_profile(jsonb) to authenticated, service_role;
grant execute on function private.note_proof(uuid) to service_role;

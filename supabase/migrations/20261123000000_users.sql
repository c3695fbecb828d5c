-- Who is here: users, their credentials and their sessions.
--
-- Run first (then audit_logs_schema.sql, background_tasks_schema.sql, delivery_schema.sql, dispatch_schema.sql), as the
-- role "postgres", on Supabase or on any Postgres 15+ that plain_postgres_shim.sql has prepared. No extension is needed.
--
-- Two schemas divide the house. `public` is what the API roles may see, through row-level security. `private` is what
-- only functions may touch: it is never exposed by an API, and holds password hashes, token hashes and everything that
-- is SECURITY DEFINER. An account is known by `auth.uid()`, the `sub` of a signed token; what it may do is always read
-- from `users.role` here and now, never from the token, so that a changed role or a disabled account counts at once.

create schema private authorization postgres;
grant usage on schema private to authenticated, service_role, authenticator;

-- The one clock. Tests replace this function to hold time still; nothing in production can.
create function public.task_now() returns timestamptz
  language sql stable set search_path = '' as $$ select now() $$;

create table public.users (
  id                   uuid primary key default gen_random_uuid(),
  username             text not null,                 -- an e-mail address, given once
  email                text not null,
  full_name            text not null,
  phone                text,
  role                 text not null,
  is_active            boolean not null default true,
  must_change_password boolean not null default false,
  last_login           timestamptz,
  created_at           timestamptz not null default public.task_now(),
  updated_at           timestamptz not null default public.task_now(),
  constraint known_role        check (role in ('admin', 'supervisor', 'booking_agent', 'driver', 'client')),
  constraint has_a_name        check (btrim(full_name) <> ''),
  constraint username_is_plain check (username = lower(btrim(username)) and username <> '')
);
create unique index users_username_key on public.users (username);
create unique index users_email_key on public.users (lower(email));

create table private.credentials (
  user_id         uuid primary key references public.users on delete cascade,
  password_hash   text not null,                      -- argon2id, in its own encoded form
  changed_at      timestamptz not null default public.task_now(),
  failed_attempts integer not null default 0,
  locked_until    timestamptz
);

create table public.user_sessions (
  id            uuid primary key default gen_random_uuid(),
  user_id       uuid not null references public.users on delete cascade,
  created_at    timestamptz not null default public.task_now(),
  expires_at    timestamptz not null,
  last_used_at  timestamptz not null default public.task_now(),   -- last renewal
  ended_at      timestamptz,
  ended_because text,
  user_agent    text,
  ip_address    inet,
  constraint an_end_says_why check ((ended_at is null) = (ended_because is null))
);
create index user_sessions_user on public.user_sessions (user_id);

-- Refresh tokens are opaque; only their SHA-256 is kept. Every use makes a new one; the old one stays to be recognised.
create table private.refresh_tokens (
  token_hash bytea primary key,
  session_id uuid not null references public.user_sessions on delete cascade,
  issued_at  timestamptz not null default public.task_now(),
  used_at    timestamptz
);
create index refresh_tokens_session on private.refresh_tokens (session_id);


-- ── Who is asking ───────────────────────────────────────────────────────────────────────────────────────────────

create function private.my_role() returns text
  language sql stable security definer set search_path = '' as $$
  select u.role from public.users u where u.id = (select auth.uid()) and u.is_active
$$;

-- The one to judge by: the caller's id while the account is active, otherwise null, which owns nothing.
create function private.my_id() returns uuid
  language sql stable security definer set search_path = '' as $$
  select u.id from public.users u where u.id = (select auth.uid()) and u.is_active
$$;

create function private.is_supervisor() returns boolean
  language sql stable security definer set search_path = '' as $$
  select coalesce(private.my_role() in ('supervisor', 'admin'), false)
$$;

create function private.is_staff() returns boolean
  language sql stable security definer set search_path = '' as $$
  select coalesce(private.my_role() in ('booking_agent', 'supervisor', 'admin'), false)
$$;

-- False for the worker, n8n and psql, who are trusted to say for whom they act: whoever has the rights of service_role.
-- True for everybody else, who is what the token says. Both are asked of settings, because current_user is the owner
-- inside a SECURITY DEFINER function.
create function private.is_person() returns boolean
  language sql stable set search_path = '' as $$
  select not pg_has_role(case current_setting('role') when 'none' then session_user else current_setting('role') end, 'service_role', 'usage')
$$;

-- The user a function acts for. A person is always themselves, whatever id they name.
create function private.acting_user(p_user_id uuid) returns uuid
  language plpgsql stable set search_path = '' as $$
declare
  me uuid;
begin
  if not private.is_person() then
    return coalesce(p_user_id, auth.uid());
  end if;
  if p_user_id is distinct from auth.uid() and p_user_id is not null then
    raise exception 'you cannot act for somebody else' using errcode = 'BT403',
      detail = 'The user id given is not the one in your token.', hint = 'Leave the user id out.';
  end if;
  me := private.my_id();
  if me is null then
    raise exception 'nobody is signed in' using errcode = 'BT403',
      detail = 'The token names no user, or one whose account is disabled.', hint = 'Sign in, or ask an administrator.';
  end if;
  return me;
end $$;


-- ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────

-- The state of a session, for the door below: the user's role and name, or why the door stays shut.
create function private.session_state(p_user_id uuid, p_session_id uuid)
  returns table (role text, full_name text, refused text)
  language sql stable security definer set search_path = '' as $$
  select u.role, u.full_name,
         case when s.id is null or s.user_id <> u.id then 'This session is not known.'
              when s.ended_at is not null then 'You have signed out, or were signed out: ' || s.ended_because || '.'
              when s.expires_at <= public.task_now() then 'Your session has ended.'
              when not u.is_active then 'Account is disabled. Contact administrator.'
         end
    from public.users u left join public.user_sessions s on s.id = p_session_id
   where u.id = p_user_id
$$;

-- Opens a person's transaction: checks the session, then becomes `authenticated` with that person's claims until the
-- transaction ends. A shut door changes nothing and says why in `refused`. Not SECURITY DEFINER: it must set the role.
create function private.enter(p_user_id uuid, p_session_id uuid, p_timeout text default '8s')
  returns table (role text, full_name text, refused text)
  language plpgsql volatile set search_path = '' as $$
begin
  select s.role, s.full_name, s.refused into enter.role, enter.full_name, enter.refused
    from private.session_state(p_user_id, p_session_id) s;
  if not found then
    refused := 'This account is not known.';
  end if;
  if refused is null then
    perform set_config('request.jwt.claims',
                       json_build_object('sub', p_user_id, 'role', 'authenticated', 'session_id', p_session_id,
                                         'user_role', enter.role)::text, true),
            set_config('statement_timeout', p_timeout, true),   -- a role's own timeout is not applied by SET ROLE
            set_config('role', 'authenticated', true);
  end if;
  return next;
end $$;


-- ── Signing in, renewing, signing out: called by the API only, as service_role ──────────────────────────────────

create function private.find_credentials(p_username text)
  returns table (user_id uuid, password_hash text, role text, full_name text, email text, username text,
                 is_active boolean, must_change_password boolean, locked_until timestamptz)
  language sql stable security definer set search_path = '' as $$
  select u.id, c.password_hash, u.role, u.full_name, u.email, u.username, u.is_active, u.must_change_password,
         case when c.locked_until > public.task_now() then c.locked_until end
    from public.users u join private.credentials c on c.user_id = u.id
   where u.username = lower(btrim(p_username))
$$;

-- Counts a wrong password; the fifth in a row locks the account for 15 minutes. Returns the tries left (0: now locked).
create function private.note_wrong_password(p_user_id uuid) returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  most constant integer := 5;
  failed integer;
begin
  update private.credentials c
     set failed_attempts = case when c.failed_attempts >= most then 1 else c.failed_attempts + 1 end,
         locked_until = case when c.failed_attempts + 1 = most then public.task_now() + interval '15 minutes' end
   where c.user_id = p_user_id and (c.locked_until is null or c.locked_until <= public.task_now())   -- guesses made at once
  returning c.failed_attempts into failed;
  return greatest(most - coalesce(failed, most), 0);
end $$;

create function private.open_session(p_user_id uuid, p_token_hash bytea, p_life interval, p_user_agent text, p_ip inet)
  returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  session uuid;
begin
  update private.credentials c set failed_attempts = 0, locked_until = null
   where c.user_id = p_user_id and (c.failed_attempts <> 0 or c.locked_until is not null);
  update public.users u set last_login = public.task_now() where u.id = p_user_id;
  insert into public.user_sessions (user_id, expires_at, user_agent, ip_address)
       values (p_user_id, public.task_now() + p_life, left(p_user_agent, 300), p_ip) returning id into session;
  insert into private.refresh_tokens (token_hash, session_id) values (p_token_hash, session);
  return session;
end $$;

-- Exchanges a refresh token for the next one. Two tabs may present the same token within the grace; after it, a used
-- token is a stolen token, and the whole session ends. The refusal is returned, not raised: raising would undo the end.
create function private.renew_session(p_old_hash bytea, p_new_hash bytea, p_grace interval default '10 seconds')
  returns table (user_id uuid, session_id uuid, role text, full_name text, email text, username text, refused text)
  language plpgsql security definer set search_path = '' as $$
declare
  token private.refresh_tokens;
begin
  select t.* into token from private.refresh_tokens t where t.token_hash = p_old_hash for update;
  if not found then
    refused := 'User not found or refresh token invalid';
    return next;
    return;
  end if;
  if token.used_at + p_grace < public.task_now() then
    perform private.end_session(token.session_id, 'a refresh token was used twice');
  end if;
  select u.id, s.id, u.role, u.full_name, u.email, u.username, st.refused
    into renew_session.user_id, renew_session.session_id, renew_session.role, renew_session.full_name,
         renew_session.email, renew_session.username, renew_session.refused
    from public.user_sessions s
    join public.users u on u.id = s.user_id
   cross join lateral private.session_state(u.id, s.id) st
   where s.id = token.session_id;
  if refused is null then
    update private.refresh_tokens t set used_at = coalesce(t.used_at, public.task_now()) where t.token_hash = p_old_hash;
    update public.user_sessions s set last_used_at = public.task_now() where s.id = token.session_id;
    insert into private.refresh_tokens (token_hash, session_id) values (p_new_hash, token.session_id);
  end if;
  return next;
end $$;

-- Ends a session; false when it had ended before.
create function private.end_session(p_session_id uuid, p_because text) returns boolean
  language plpgsql security definer set search_path = '' as $$
begin
  update public.user_sessions s set ended_at = public.task_now(), ended_because = p_because
   where s.id = p_session_id and s.ended_at is null;
  return found;
end $$;

-- Creates a user, or gives an existing one a new password: for `backhaul up` and the command line. Returns the id.
create function private.put_user(p_username text, p_full_name text, p_role text, p_password_hash text) returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  who uuid;
begin
  insert into public.users (username, email, full_name, role)
       values (lower(btrim(p_username)), lower(btrim(p_username)), p_full_name, p_role)
  on conflict (username) do update set full_name = excluded.full_name, role = excluded.role, updated_at = public.task_now()
  returning id into who;
  insert into private.credentials (user_id, password_hash) values (who, p_password_hash)
  on conflict (user_id) do update set password_hash = excluded.password_hash, changed_at = public.task_now(),
                                      failed_attempts = 0, locked_until = null;
  return who;
end $$;

-- Sessions over for a month are of no more use to anybody.
create function private.prune_sessions() returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  gone integer;
begin
  delete from public.user_sessions s
   where coalesce(s.ended_at, s.expires_at) < public.task_now() - interval '30 days';
  get diagnostics gone = row_count;
  return gone;
end $$;


-- ── Who may see what ────────────────────────────────────────────────────────────────────────────────────────────

alter table public.users enable row level security;
alter table public.user_sessions enable row level security;
-- Older Supabase projects grant every new table in `public` to the API's roles; what they may do is said here instead.
revoke all on public.users, public.user_sessions from anon, authenticated, service_role;
grant select on public.users, public.user_sessions to authenticated, service_role;

create policy users_see_themselves_supervisors_everybody on public.users for select to authenticated
  using (id = (select private.my_id()) or (select private.is_supervisor()));
create policy users_see_their_own_sessions on public.user_sessions for select to authenticated
  using (user_id = (select private.my_id()));

revoke execute on all functions in schema private from public;
revoke execute on function public.task_now() from public, anon, authenticated, service_role;
grant execute on function public.task_now() to authenticated, service_role;
grant execute on function private.my_role(), private.my_id(), private.is_supervisor(), private.is_staff(), private.is_person(),
                          private.acting_user(uuid) to authenticated, service_role;
grant execute on function private.session_state(uuid, uuid), private.enter(uuid, uuid, text) to authenticator, service_role;
grant execute on function private.find_credentials(text), private.note_wrong_password(uuid),
                          private.open_session(uuid, bytea, interval, text, inet),
                          private.renew_session(bytea, bytea, interval), private.end_session(uuid, text),
                          private.put_user(text, text, text, text), private.prune_sessions() to service_role;

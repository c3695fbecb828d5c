-- Who is here: users, their credentials and their sessions.
--
-- Run first (then audit_logs_schema.sql, accounts_schema.sql, background_tasks_schema.sql, delivery_schema.sql, dispatch_schema.sql,
-- appointments_schema.sql, messages_schema.sql, invoices_schema.sql), as the role "postgres", on Supabase or on any Postgres 15+ that plain_postgres_shim.sql has prepared. No extension is needed.
--
-- Two schemas divide the house. `public` is what the API roles may see, through row-level security. `private` is what
-- only functions may touch: it is never exposed by an API, and holds password hashes, token hashes and everything that
-- is SECURITY DEFINER. An account is known by `auth.uid()`, the `sub` of a signed token; what it may do is always read
-- from `users.role` here and now, never from the token, so that a changed role or a disabled account counts at once.
--
-- A session lives as long as its person does something: `last_activity_at` is moved by their own input alone, which the
-- page reports, by this database's clock; polling, event streams and renewal never move it. How long it may stand still
-- is said in one place, `private.inactivity_limits`, which the pages are served too. Every door asks
-- `private.session_state`: each request, each renewal, each open stream, and row-level security itself.

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
  constraint username_is_plain check (username = lower(btrim(username)) and username <> ''),
  constraint email_is_plain    check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
  constraint phone_is_e164     check (phone ~ '^\+[1-9][0-9]{6,14}$')
);
create unique index users_username_key on public.users (username);
create unique index users_email_key on public.users (lower(email));

create table private.credentials (
  user_id         uuid primary key references public.users on delete cascade,
  password_hash   text not null,                      -- argon2id, in its own encoded form
  changed_at      timestamptz not null default public.task_now(),
  temporary_until timestamptz                         -- of a password somebody else has made: no good after that
);

-- Wrong passwords, counted for each name that was typed, so that a name nobody has locks just like one of ours and tells
-- nothing. A browser in which somebody has signed in before is known by a cookie and counted apart: a stranger's guesses
-- lock strangers out, never that person in their own browser.
create table private.sign_in_guesses (
  name_hash    bytea not null,                        -- SHA-256 of the username as typed, trimmed and lower-cased
  device       bytea not null,                        -- private.known_devices.device, or empty for all strangers together
  failed       integer not null,
  last_at      timestamptz not null,
  locked_until timestamptz,
  primary key (name_hash, device)
);
create table private.known_devices (
  device       bytea not null,                        -- SHA-256 of the cookie
  user_id      uuid not null references public.users on delete cascade,
  last_used_at timestamptz not null default public.task_now(),
  primary key (device, user_id)
);
create index known_devices_user on private.known_devices (user_id);

-- How long a person may do nothing, and how long before that end the page warns.
create table private.inactivity_limits (
  role        text primary key,
  idle_for    interval not null,
  warn_before interval not null default '5 minutes',
  constraint known_role        check (role in ('admin', 'supervisor', 'booking_agent', 'driver', 'client')),
  constraint warned_in_between check (warn_before > '0' and warn_before < idle_for)
);
insert into private.inactivity_limits (role, idle_for)
values ('admin', '30 minutes'), ('supervisor', '60 minutes'), ('booking_agent', '120 minutes'), ('driver', '120 minutes'), ('client', '120 minutes');

-- What a role may do beyond looking after its own account, and which pages it may open. The pages carry a copy, only to
-- hide what would be refused; a test holds the two together.
create table private.role_permissions (
  role       text not null references private.inactivity_limits (role),
  permission text not null,
  primary key (role, permission)
);
create table private.role_pages (
  role text not null references private.inactivity_limits (role),
  page text not null,
  primary key (role, page)
);
insert into private.role_permissions (role, permission)
select role, permission
  from (values
    ('{admin,supervisor,booking_agent}'::text[], '{view_clients,edit_clients,view_appointments,edit_appointments,create_appointments,delete_appointments}'::text[]),
    ('{admin,supervisor,booking_agent,driver}', '{view_drivers}'),
    ('{admin,supervisor}', '{delete_clients,manage_drivers,assign_drivers,view_reports,view_costs,manage_destinations,see_all_failed_tasks}'),
    ('{admin}', '{set_trip_status,hard_delete_appointments,manage_users,manage_system_config,read_audit_log}'),
    ('{driver,client}', '{view_own_appointments}'),
    ('{driver}', '{manage_own_schedule}')) granted (roles, permissions),
  unnest(roles) role, unnest(permissions) permission;
insert into private.role_pages (role, page)
select role, page
  from (values
    ('{admin,supervisor,booking_agent,driver,client}'::text[], '{dashboard,profile}'::text[]),
    ('{admin,supervisor,booking_agent}', '{clients,appointments,appointments-bulk-add}'),
    ('{admin,supervisor}', '{operations,drivers,destinations,finance}'),
    ('{admin}', '{admin,audit}')) granted (roles, pages),
  unnest(roles) role, unnest(pages) page;


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
  last_activity_at timestamptz not null default public.task_now(),   -- the person's own last input
  proved_at     timestamptz,                                       -- when they last gave their password again here
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

-- The state of a session: the user's role and name, how long it has still to live if nothing is done (seconds), and, once
-- it is over, why, in words for people (`refused`) and for programs (`code`).
create function private.session_state(p_user_id uuid, p_session_id uuid)
  returns table (role text, full_name text, refused text, code text, left_s double precision)
  language sql stable security definer set search_path = '' as $$
  select u.role, u.full_name,
         case c.code
           when 'session.unknown' then 'This session is not known.'
           when 'session.ended' then 'You have signed out, or were signed out: ' || s.ended_because || '.'
           when 'session.expired' then 'Your session has ended.'
           when 'session.idle' then 'Your session has expired due to inactivity. Please log in again.'
           when 'disabled' then 'Account is disabled. Contact administrator.'
         end,
         c.code,
         extract(epoch from least(s.expires_at, s.last_activity_at + l.idle_for) - public.task_now())::double precision
    from public.users u
    join private.inactivity_limits l on l.role = u.role
    left join public.user_sessions s on s.id = p_session_id and s.user_id = u.id
   cross join lateral (select case when s.id is null then 'session.unknown'
                                   when not u.is_active then 'disabled'
                                   when s.ended_at is not null then 'session.ended'
                                   when s.expires_at <= public.task_now() then 'session.expired'
                                   when s.last_activity_at + l.idle_for <= public.task_now() then 'session.idle' end as code) c
   where u.id = p_user_id
$$;

-- The one to judge by: the caller's id while account and session are alive, otherwise null, which owns nothing. A token
-- outlives its session by minutes; whoever brings it straight to the database is refused there too.
create function private.my_id() returns uuid
  language sql stable security definer set search_path = '' as $$
  select (select auth.uid()) from private.session_state((select auth.uid()), nullif((select auth.jwt()) ->> 'session_id', '')::uuid) s
   where s.refused is null
$$;

create function private.my_role() returns text
  language sql stable security definer set search_path = '' as $$
  select s.role from private.session_state((select auth.uid()), nullif((select auth.jwt()) ->> 'session_id', '')::uuid) s
   where s.refused is null
$$;

-- Whether the caller's role includes a permission.
create function private.may(p_permission text) returns boolean
  language sql stable security definer set search_path = '' as $$
  select exists (select from private.role_permissions p where p.role = private.my_role() and p.permission = p_permission)
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

-- Opens a person's transaction: checks the session, then becomes `authenticated` with that person's claims until the
-- transaction ends. A shut door changes nothing and says why in `refused`. Not SECURITY DEFINER: it must set the role.
create function private.enter(p_user_id uuid, p_session_id uuid, p_timeout text default '8s')
  returns table (role text, full_name text, refused text, code text, left_s double precision)
  language plpgsql volatile set search_path = '' as $$
begin
  select s.* into enter.role, enter.full_name, enter.refused, enter.code, enter.left_s
    from private.session_state(p_user_id, p_session_id) s;
  if not found then
    refused := 'This account is not known.';
    code := 'session.unknown';
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

create function private.name_hash(p_username text) returns bytea
  language sql immutable set search_path = '' as $$ select sha256(convert_to(lower(btrim(p_username)), 'UTF8')) $$;

-- One row for every name, known or not, so that the two take the same path. `device` is p_device where that browser is
-- known for this user, otherwise empty: a stranger's.
create function private.find_credentials(p_username text, p_device bytea default null)
  returns table (user_id uuid, password_hash text, role text, full_name text, email text, username text,
                 is_active boolean, must_change_password boolean, temporary_until timestamptz, changed_at timestamptz,
                 device bytea, locked_until timestamptz)
  language sql stable security definer set search_path = '' as $$
  select u.id, c.password_hash, u.role, u.full_name, u.email, u.username, u.is_active, u.must_change_password,
         c.temporary_until, c.changed_at, d.device, case when g.locked_until > public.task_now() then g.locked_until end
    from (select lower(btrim(p_username)) as typed) t
    left join public.users u on u.username = t.typed
    left join private.credentials c on c.user_id = u.id
   cross join lateral (select coalesce((select k.device from private.known_devices k where k.device = p_device and k.user_id = u.id), ''::bytea) as device) d
    left join private.sign_in_guesses g on g.name_hash = private.name_hash(p_username) and g.device = d.device
$$;

-- The same of somebody who is signed in, to ask for the password again.
create function private.credentials_of(p_user_id uuid)
  returns table (username text, full_name text, email text, role text, password_hash text, changed_at timestamptz, must_change_password boolean)
  language sql stable security definer set search_path = '' as $$
  select u.username, u.full_name, u.email, u.role, c.password_hash, c.changed_at, u.must_change_password
    from public.users u join private.credentials c on c.user_id = u.id
   where u.id = p_user_id and u.is_active
$$;

-- Counts a wrong password; the fifth in a row locks that name for 15 minutes, for strangers or for the one device.
-- Returns the tries left (0: now locked).
create function private.note_wrong_password(p_username text, p_device bytea) returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  most constant integer := 5;
  failed integer;
begin
  insert into private.sign_in_guesses as g (name_hash, device, failed, last_at) values (private.name_hash(p_username), p_device, 1, public.task_now())
  on conflict (name_hash, device) do update
     set failed = case when g.failed >= most then 1 else g.failed + 1 end, last_at = public.task_now(),
         locked_until = case when g.failed + 1 = most then public.task_now() + interval '15 minutes' end
   where g.locked_until is null or g.locked_until <= public.task_now()                              -- guesses made at once
  returning g.failed into failed;
  return greatest(most - coalesce(failed, most), 0);
end $$;

create function private.open_session(p_user_id uuid, p_token_hash bytea, p_life interval, p_user_agent text, p_ip inet, p_device bytea default null)
  returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  session uuid;
  name text;
begin
  update public.users u set last_login = public.task_now() where u.id = p_user_id returning u.username into name;
  delete from private.sign_in_guesses g
   where g.name_hash = private.name_hash(name)
     and g.device = coalesce((select k.device from private.known_devices k where k.device = p_device and k.user_id = p_user_id), ''::bytea);
  if p_device is not null then
    insert into private.known_devices (device, user_id) values (p_device, p_user_id)
    on conflict (device, user_id) do update set last_used_at = public.task_now();
  end if;
  insert into public.user_sessions (user_id, expires_at, user_agent, ip_address)
       values (p_user_id, public.task_now() + p_life, left(p_user_agent, 300), p_ip) returning id into session;
  insert into private.refresh_tokens (token_hash, session_id) values (p_token_hash, session);
  return session;
end $$;

-- Exchanges a refresh token for the next one. Two tabs may present the same token within the grace; after it, a used
-- token is a stolen token, and the whole session ends. The refusal is returned, not raised: raising would undo the end.
-- p_session_id: the session a page believes to be in; another's token is refused and stays unused, since in one browser
-- the cookie of who signed in last must not make their tokens out of somebody else's page.
create function private.renew_session(p_old_hash bytea, p_new_hash bytea, p_grace interval default '10 seconds', p_session_id uuid default null)
  returns table (user_id uuid, session_id uuid, role text, full_name text, email text, username text, refused text, code text, left_s double precision)
  language plpgsql security definer set search_path = '' as $$
declare
  token private.refresh_tokens;
begin
  select t.* into token from private.refresh_tokens t where t.token_hash = p_old_hash for update;
  if not found then
    refused := 'User not found or refresh token invalid';
    code := 'session.unknown';
    return next;
    return;
  end if;
  if p_session_id <> token.session_id then
    refused := 'Somebody else has signed in on this browser.';
    code := 'session.other';
    return next;
    return;
  end if;
  if token.used_at + p_grace < public.task_now() then
    if private.end_session(token.session_id, 'a refresh token was used twice') then
      perform private.write_audit('reuse_refresh_token', 'user', s.user_id, s.user_id, jsonb_build_object('session_id', s.id),
                                  p_refused => 'A refresh token was used twice, so the session was ended')
         from public.user_sessions s where s.id = token.session_id;
    end if;
  end if;
  select u.id, s.id, u.role, u.full_name, u.email, u.username, st.refused, st.code,
         extract(epoch from s.expires_at - public.task_now())::double precision
    into renew_session.user_id, renew_session.session_id, renew_session.role, renew_session.full_name, renew_session.email,
         renew_session.username, renew_session.refused, renew_session.code, renew_session.left_s
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

-- A session goes on with a token of its own making: after its person has proved anew who they are. What they had is used
-- up, so that it serves another tab for the moment of the grace, and no thief after it. Returns the seconds left.
create function private.go_on(p_session_id uuid, p_token_hash bytea) returns double precision
  language plpgsql security definer set search_path = '' as $$
begin
  update private.refresh_tokens t set used_at = public.task_now() where t.session_id = p_session_id and t.used_at is null;
  insert into private.refresh_tokens (token_hash, session_id) values (p_token_hash, p_session_id);
  perform private.note_activity(p_session_id);
  return (select extract(epoch from s.expires_at - public.task_now()) from public.user_sessions s where s.id = p_session_id);
end $$;

create function private.session_of(p_token_hash bytea) returns table (id uuid, user_id uuid)
  language sql stable security definer set search_path = '' as $$
  select s.id, s.user_id from private.refresh_tokens r join public.user_sessions s on s.id = r.session_id where r.token_hash = p_token_hash
$$;

-- A password hashed anew at today's cost, while it is at hand. The password is the same, so nobody's session ends.
create function private.rehash(p_user_id uuid, p_old text, p_new text) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  perform set_config('backhaul.same_password', 'yes', true);
  update private.credentials c set password_hash = p_new where c.user_id = p_user_id and c.password_hash = p_old;
  perform set_config('backhaul.same_password', '', true);
end $$;

-- Moves the clock of inactivity: the person's last input was p_idle ago. A report that comes late moves it less, one that
-- is out of order not at all. Returns the seconds left; the caller has just entered, so the session is alive.
create function private.note_activity(p_session_id uuid, p_idle interval default '0') returns double precision
  language sql security definer set search_path = '' as $$
  update public.user_sessions s
     set last_activity_at = greatest(s.last_activity_at, public.task_now() - greatest(p_idle, '0'))
   where s.id = p_session_id and s.ended_at is null;
  select st.left_s from public.user_sessions s cross join lateral private.session_state(s.user_id, s.id) st where s.id = p_session_id
$$;

-- Ends a session; false when it had ended before.
create function private.end_session(p_session_id uuid, p_because text) returns boolean
  language plpgsql security definer set search_path = '' as $$
begin
  update public.user_sessions s set ended_at = public.task_now(), ended_because = p_because
   where s.id = p_session_id and s.ended_at is null;
  return found;
end $$;

-- Ends every session of a user but, where one is named, p_but. Returns how many.
create function private.end_sessions(p_user_id uuid, p_because text, p_but uuid default null) returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  ended integer;
begin
  update public.user_sessions s set ended_at = public.task_now(), ended_because = p_because
   where s.user_id = p_user_id and s.ended_at is null and s.id is distinct from p_but;
  get diagnostics ended = row_count;
  return ended;
end $$;

-- Whatever changes a role, disables an account or replaces a password ends its sessions, also a statement at psql.
create function private.end_sessions_of_changed_user() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  perform private.end_sessions(new.id, case when not new.is_active then 'your account was disabled' else 'your role was changed' end);
  delete from private.known_devices k where k.user_id = new.id and not new.is_active;
  return new;
end $$;
create trigger users_end_sessions after update of role, is_active on public.users
  for each row when (old.role <> new.role or (old.is_active and not new.is_active)) execute function private.end_sessions_of_changed_user();

create function private.end_sessions_of_changed_password() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  if current_setting('backhaul.same_password', true) = 'yes' then
    return new;
  end if;
  perform private.end_sessions(new.user_id, 'your password was changed', nullif(current_setting('backhaul.keep_session', true), '')::uuid);
  return new;
end $$;
create trigger credentials_end_sessions after update of password_hash on private.credentials
  for each row when (old.password_hash <> new.password_hash) execute function private.end_sessions_of_changed_password();

-- Open event streams hear of an end at once. Ids only: anybody may listen.
create function private.announce_end() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  perform pg_notify('sessions', new.id::text);
  return new;
end $$;
create trigger user_sessions_announce_end after update of ended_at on public.user_sessions
  for each row when (old.ended_at is null and new.ended_at is not null) execute function private.announce_end();

-- There is always somebody who can let others in. One change of admins at a time, or the last two could demote each other.
create function private.keep_an_admin() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtext('backhaul.admins'));
  if not exists (select from public.users u where u.role = 'admin' and u.is_active and u.id <> old.id) then
    raise exception 'this is the last administrator' using errcode = 'BT409',
      detail = 'Without one, nobody could manage users any more.', hint = 'Make somebody else an administrator first.';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;
create trigger users_keep_an_admin_changed before update of role, is_active on public.users
  for each row when (old.role = 'admin' and old.is_active and (new.role <> 'admin' or not new.is_active)) execute function private.keep_an_admin();
create trigger users_keep_an_admin_removed before delete on public.users
  for each row when (old.role = 'admin' and old.is_active) execute function private.keep_an_admin();

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
  perform private.set_password(who, p_password_hash);
  return who;
end $$;

-- Stores a new password; sessions end by the trigger above, but for p_keep_session. p_temporary_until: somebody else
-- made it, so it opens nothing but the change to one's own, and nothing at all after that.
create function private.set_password(p_user_id uuid, p_password_hash text, p_temporary_until timestamptz default null, p_keep_session uuid default null)
  returns void
  language plpgsql security definer set search_path = '' as $$
begin
  perform set_config('backhaul.keep_session', coalesce(p_keep_session::text, ''), true);
  insert into private.credentials (user_id, password_hash, temporary_until) values (p_user_id, p_password_hash, p_temporary_until)
  on conflict (user_id) do update set password_hash = excluded.password_hash, temporary_until = excluded.temporary_until,
                                      changed_at = public.task_now();
  perform set_config('backhaul.keep_session', '', true);
  update public.users u set must_change_password = p_temporary_until is not null, updated_at = public.task_now() where u.id = p_user_id;
  delete from private.sign_in_guesses g using public.users u where u.id = p_user_id and g.name_hash = private.name_hash(u.username);
end $$;

-- The same by somebody who knows the old one: false when it has been replaced since it was checked.
create function private.replace_password(p_user_id uuid, p_old text, p_new text, p_keep_session uuid default null) returns boolean
  language plpgsql security definer set search_path = '' as $$
begin
  perform from private.credentials c where c.user_id = p_user_id and c.password_hash = p_old for update;
  if found then
    perform private.set_password(p_user_id, p_new, null, p_keep_session);
    return true;
  end if;
  return false;
end $$;

-- What is over for a month, or was not used for a year, is of no more use to anybody.
create function private.prune_sessions() returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  gone integer;
begin
  delete from public.user_sessions s
   where coalesce(s.ended_at, s.expires_at) < public.task_now() - interval '30 days';
  get diagnostics gone = row_count;
  delete from private.sign_in_guesses g where g.last_at < public.task_now() - interval '1 day';
  delete from private.known_devices k where k.last_used_at < public.task_now() - interval '1 year';
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
create policy users_see_their_own_sessions_admins_all on public.user_sessions for select to authenticated
  using (user_id = (select private.my_id()) or (select private.may('manage_users')));

revoke execute on all functions in schema private from public;
revoke execute on function public.task_now() from public, anon, authenticated, service_role;
grant execute on function public.task_now() to authenticated, service_role;
grant execute on function private.my_role(), private.my_id(), private.may(text), private.is_supervisor(), private.is_staff(), private.is_person(),
                          private.acting_user(uuid) to authenticated, service_role;
grant execute on function private.session_state(uuid, uuid), private.enter(uuid, uuid, text) to authenticator, service_role;
grant execute on function private.find_credentials(text, bytea), private.credentials_of(uuid), private.note_wrong_password(text, bytea),
                          private.open_session(uuid, bytea, interval, text, inet, bytea),
                          private.renew_session(bytea, bytea, interval, uuid), private.go_on(uuid, bytea), private.session_of(bytea), private.rehash(uuid, text, text), private.note_activity(uuid, interval),
                          private.end_session(uuid, text), private.end_sessions(uuid, text, uuid),
                          private.set_password(uuid, text, timestamptz, uuid), private.replace_password(uuid, text, text, uuid),
                          private.put_user(text, text, text, text), private.prune_sessions() to service_role;
grant select on private.inactivity_limits, private.role_permissions, private.role_pages to service_role;

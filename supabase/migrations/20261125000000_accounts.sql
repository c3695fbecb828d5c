-- Accounts and sessions: inactivity by the database's own clock, locks that a stranger cannot turn against somebody, roles'
-- permissions, links for those without a password, limits for strangers.

-- ── Tables ──

alter table public.users
  add constraint email_is_plain check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
  add constraint phone_is_e164 check (phone ~ '^\+[1-9][0-9]{6,14}$');
alter table private.credentials drop column failed_attempts, drop column locked_until, add column temporary_until timestamptz;
alter table public.user_sessions add column last_activity_at timestamptz not null default public.task_now();

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
    ('{admin}', '{hard_delete_appointments,manage_users,manage_system_config,read_audit_log}'),
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




-- ── Functions that change their shape ──

drop function private.enter(uuid, uuid, text);
drop function private.session_state(uuid, uuid);
drop function private.find_credentials(text);
drop function private.note_wrong_password(uuid);
drop function private.open_session(uuid, bytea, interval, text, inet);
drop function private.renew_session(bytea, bytea, interval);
drop function private.write_audit(text, text, uuid, uuid, jsonb, inet, text);

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
create or replace function private.my_id() returns uuid
  language sql stable security definer set search_path = '' as $$
  select (select auth.uid()) from private.session_state((select auth.uid()), nullif((select auth.jwt()) ->> 'session_id', '')::uuid) s
   where s.refused is null
$$;

create or replace function private.my_role() returns text
  language sql stable security definer set search_path = '' as $$
  select s.role from private.session_state((select auth.uid()), nullif((select auth.jwt()) ->> 'session_id', '')::uuid) s
   where s.refused is null
$$;

-- Whether the caller's role includes a permission.
create function private.may(p_permission text) returns boolean
  language sql stable security definer set search_path = '' as $$
  select exists (select from private.role_permissions p where p.role = private.my_role() and p.permission = p_permission)
$$;

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

-- Creates a user, or gives an existing one a new password: for `backhaul up` and the command line. Returns the id.
create or replace function private.put_user(p_username text, p_full_name text, p_role text, p_password_hash text) returns uuid
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

-- What is over for a month, or was not used for a year, is of no more use to anybody.
create or replace function private.prune_sessions() returns integer
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

-- Writes one entry in the caller's transaction. The name and role are those of now: they may change later. p_refused: it was
-- tried and not done, for this reason.
create function private.write_audit(p_action text, p_entity_type text, p_entity_id uuid, p_user_id uuid,
                                    p_details jsonb default '{}', p_ip inet default null, p_user_agent text default null,
                                    p_refused text default null)
  returns uuid
  language sql security definer set search_path = '' as $$
  insert into public.audit_logs (action, entity_type, entity_id, user_id, user_name, role, details, ip_address, user_agent, success, error_message)
  select p_action, p_entity_type, p_entity_id, u.id, coalesce(u.full_name, 'system'), coalesce(u.role, 'system'),
         coalesce(p_details, '{}'), p_ip, left(p_user_agent, 300), p_refused is null, p_refused
    from (select 1) one left join public.users u on u.id = p_user_id
  returning id
$$;

-- The audit entry and the list of work to follow. p_tasks: [{task_type, entity_type, entity_id, entity_label, args,
-- once_key, max_attempts, lane, delay_s}]. Returns the entry's id, the tasks' ids in order, and p_reply with the ids by task type (a list where a type comes more than once).
create or replace function private.record_save(p_user_id uuid, p_action text, p_entity_type text, p_entity_id uuid, p_details jsonb,
                                    p_ip inet, p_user_agent text, p_tasks jsonb, p_reply jsonb default '{}')
  returns table (audit_log_id uuid, task_ids uuid[], reply jsonb)
  language plpgsql security definer set search_path = '' as $$
declare
  task jsonb;
  place integer;
begin
  -- whoever saves is there, also behind a page that reports no input; not at every save, because it writes one row
  perform private.note_activity(s.id) from public.user_sessions s
    where s.id = nullif(auth.jwt() ->> 'session_id', '')::uuid and s.last_activity_at < public.task_now() - interval '20 seconds';
  audit_log_id := private.write_audit(p_action, p_entity_type, p_entity_id, p_user_id, p_details, p_ip, p_user_agent);
  task_ids := array_fill(null::uuid, array[jsonb_array_length(p_tasks)]);
  -- by key, so that two saves which join the same waiting tasks never wait for one another crosswise
  for task, place in select t.value, t.ordinality from jsonb_array_elements(p_tasks) with ordinality t
                      order by t.value ->> 'once_key', t.value ->> 'task_type', t.ordinality loop
    task_ids[place] := private.create_task(
      task ->> 'entity_type', (task ->> 'entity_id')::uuid, task ->> 'entity_label', task ->> 'task_type', p_user_id, audit_log_id,
      task -> 'args', task ->> 'once_key', (task ->> 'max_attempts')::integer,
      task ->> 'lane', public.task_now() + (task ->> 'delay_s')::double precision * interval '1 second');
  end loop;
  reply := p_reply || jsonb_build_object('task_ids', coalesce((
    select jsonb_object_agg(n.task_type, case when cardinality(n.ids) = 1 then to_jsonb(n.ids[1]) else to_jsonb(n.ids) end)
      from (select t.value ->> 'task_type' as task_type, array_agg(record_save.task_ids[t.ordinality] order by t.ordinality) as ids
              from jsonb_array_elements(p_tasks) with ordinality t group by 1) n), '{}'));
  return next;
end $$;

drop policy users_see_their_own_sessions on public.user_sessions;
create policy users_see_their_own_sessions_admins_all on public.user_sessions for select to authenticated
  using (user_id = (select private.my_id()) or (select private.may('manage_users')));

revoke execute on all functions in schema private from public;
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
grant execute on function private.write_audit(text, text, uuid, uuid, jsonb, inet, text, text) to service_role;

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
    raise exception 'email already in use' using errcode = 'BT409',
      detail = 'Another account has this e-mail address.', hint = 'Use another address.';
  end if;
  raise exception 'username already in use' using errcode = 'BT409',
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
  select u.* into old from public.users u where u.id = p_user_id for update;
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

-- One's own name, e-mail address and telephone.
create function private.save_profile(p_full_name text, p_email text, p_phone text) returns text[]
  language plpgsql security definer set search_path = '' as $$
begin
  return private.write_user(private.acting_user(null), jsonb_build_object('full_name', p_full_name, 'email', p_email, 'phone', p_phone));
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

create function private.change_user(p_user_id uuid, p_changes jsonb) returns text[]
  language plpgsql security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  if p_user_id = (select auth.uid()) and private.is_person()
     and (p_changes ->> 'is_active' = 'false' or coalesce(p_changes ->> 'role', 'admin') <> 'admin') then
    raise exception 'you cannot take your own rights away' using errcode = 'BT409',
      detail = 'It would end your session and lock you out.', hint = 'Ask another administrator.';
  end if;
  return private.write_user(p_user_id, p_changes - array(select k from jsonb_object_keys(p_changes) k
                                                         where k not in ('full_name', 'email', 'phone', 'role', 'is_active')));
end $$;

-- Forgets the wrong passwords of a name. False when there was no lock and no count.
create function private.unlock_user(p_user_id uuid) returns boolean
  language plpgsql security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  delete from private.sign_in_guesses g using public.users u where u.id = p_user_id and g.name_hash = private.name_hash(u.username);
  return found;
end $$;

-- Ends one session, or with p_session_id null all of them: one's own, or, for administrators, anybody's.
create function private.sign_out(p_user_id uuid, p_session_id uuid default null) returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  mine boolean := p_user_id = private.my_id();
begin
  if not coalesce(mine, false) then
    perform private.must_manage_users();
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

-- Everybody, as administrators see them: with their locks and open sessions.
create function private.list_users()
  returns table (id uuid, username text, full_name text, email text, phone text, role text, is_active boolean, must_change_password boolean,
                 last_login timestamptz, created_at timestamptz, failed_login_attempts integer, locked_until timestamptz, open_sessions integer)
  language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  return query
    select u.id, u.username, u.full_name, u.email, u.phone, u.role, u.is_active, u.must_change_password, u.last_login, u.created_at,
           coalesce(g.failed, 0), g.locked_until,
           (select count(*)::integer from private.open_sessions(u.id))
      from public.users u
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
grant execute on function private.save_profile(text, text, text), private.create_user(text, text, text, text, text, boolean),
                          private.change_user(uuid, jsonb), private.unlock_user(uuid), private.sign_out(uuid, uuid),
                          private.open_sessions(uuid), private.list_users() to authenticated, service_role;
grant execute on function private.put_link(text, uuid, bytea, interval), private.find_link(text, bytea), private.use_link(text, bytea),
                          private.has_admin(), private.knock(text, text, double precision, double precision, double precision),
                          private.prune_accounts() to service_role;

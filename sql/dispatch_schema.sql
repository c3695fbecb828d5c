-- The office's own records: clients, drivers and their hours, destinations, the drive times between them, and its settings.
--
-- Column names are those the portal has always used (data model, section 2), so that its queries and exports keep working;
-- every record is known by a UUID, and the office's own client number, the K number, stays a column of its own.
--
-- What is measured belongs to an address, and never outlives it: when an address changes, triggers forget its coordinates and
-- the drive times that begin or end there, until they are measured anew. Times are kept by the ids of both ends, so a rename
-- loses none. Wall times are the office's, America/Halifax, whoever writes them; instants are kept in UTC.
--
-- `version` rises whenever something a person can see in the form has changed, not when coordinates or a contact id are
-- filled in behind the scenes: a form that was opened at one version is not saved over another.
--
-- Needs users_schema.sql and accounts_schema.sql. Row-level security: staff read; agents write clients, supervisors the rest,
-- administrators the settings. A driver's login (users.driver_id) sees its own record and looks after its own time off; why somebody
-- is away, only supervisors and that driver read. What drivers and clients see of a trip is in appointments_schema.sql.

-- ── Time, as the office reads it ────────────────────────────────────────────────────────────────────────────────

create function private.office_zone() returns text
  language sql immutable set search_path = '' as $$ select 'America/Halifax' $$;

-- The calendar day of an instant, at the office.
create function private.local_day(p_at timestamptz) returns date
  language sql immutable set search_path = '' as $$ select (p_at at time zone private.office_zone())::date $$;

-- From the midnight that begins the first day to the one that ends the last: 23, 24 or 25 hours for a single day.
create function private.local_days(p_first date, p_last date) returns tstzrange
  language sql immutable set search_path = '' as $$
  select tstzrange(p_first::timestamp at time zone private.office_zone(), (p_last + 1)::timestamp at time zone private.office_zone())
$$;

create function private.weekday(p_day date) returns text
  language sql immutable set search_path = '' as $$
  select ('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}'::text[])[extract(isodow from p_day)::integer]
$$;

-- Whether this is a week as drivers keep it: {"monday": {"available": true, "start": "08:00", "end": "16:00"}, …}, all seven.
create function private.is_week(p_week jsonb) returns boolean
  language sql immutable set search_path = '' as $$
  select case when jsonb_typeof(p_week) <> 'object' then false else
    (select count(*) = 7 from jsonb_object_keys(p_week))
    and (select bool_and(coalesce(
           jsonb_typeof(p_week -> d -> 'available') = 'boolean'
           and (p_week -> d -> 'available' = 'false'
                or (p_week -> d ->> 'start' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' and p_week -> d ->> 'end' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
                    and p_week -> d ->> 'start' < p_week -> d ->> 'end')), false))
           from unnest('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}'::text[]) d) end
$$;

create function private.usual_week() returns jsonb
  language sql immutable set search_path = '' as $$
  select jsonb_object_agg(d, case when d in ('saturday', 'sunday') then '{"available": false, "start": null, "end": null}'::jsonb
                                  else '{"available": true, "start": "08:00", "end": "16:00"}' end)
    from unnest('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}'::text[]) d
$$;

-- The hours of one day in such a week; null on a day off.
create function private.hours_on(p_week jsonb, p_day date) returns tstzrange
  language sql immutable set search_path = '' as $$
  select case when (d.hours ->> 'available')::boolean then
           tstzrange(o.starts, greatest(o.starts, o.ends)) end   -- hours within those that the clocks skip come out as none
    from (select p_week -> private.weekday(p_day) as hours) d,
         lateral (select (p_day + (d.hours ->> 'start')::time) at time zone private.office_zone() as starts,
                         (p_day + (d.hours ->> 'end')::time) at time zone private.office_zone() as ends) o
$$;

-- Whether these are people to ask for: [{"name", "phone", "email", "type"}], each named and of a known type.
create function private.are_contacts(p_contacts jsonb) returns boolean
  language sql immutable set search_path = '' as $$
  select case when jsonb_typeof(p_contacts) <> 'array' then false else
    (select coalesce(bool_and(coalesce(
              jsonb_typeof(c) = 'object' and btrim(c ->> 'name') <> '' and c ->> 'type' in ('main', 'billing', 'scheduling', 'other'), false)), true)
       from jsonb_array_elements(p_contacts) c) end
$$;


-- ── Records ─────────────────────────────────────────────────────────────────────────────────────────────────────

create table public.drivers (
  id                 uuid primary key default gen_random_uuid(),
  first_name         text not null,
  last_name          text not null,
  name               text not null generated always as (first_name || ' ' || last_name) stored,
  email              text not null,
  phone              text,
  gender             text,
  active             boolean not null default true,
  home_address       text,
  home_city          text,
  home_province      text default 'NS',
  home_postal_code   text,
  home_latitude      double precision,
  home_longitude     double precision,
  created_at         timestamptz not null default public.task_now(),
  updated_at         timestamptz not null default public.task_now(),
  work_phone         text,
  workload_percentage integer not null default 100,
  workload_preference text not null generated always as (
    case workload_percentage when 25 then 'minimal' when 50 then 'light' when 100 then 'normal' when 150 then 'heavy' else 'maximum' end) stored,
  preferred_calendar_type text not null default 'google',
  google_calendar_id  text,                           -- made once, and kept in step by its tasks
  weekly_hours        jsonb not null default private.usual_week(),
  vehicle_description text,
  notes               text,
  home_precision      text,                           -- exact, or approximate: then a person should check the address
  version             integer not null default 1,
  constraint known_gender check (gender in ('male', 'female', 'non-binary', 'other')),
  constraint a_point_has_two_numbers check ((home_latitude is null) = (home_longitude is null)),
  constraint on_this_planet check (home_latitude between -90 and 90 and home_longitude between -180 and 180),
  constraint phone_is_e164   check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  constraint work_phone_is_e164 check (work_phone ~ '^\+[1-9][0-9]{6,14}$'),
  constraint known_workload  check (workload_percentage in (25, 50, 100, 150, 200)),
  constraint known_calendar  check (preferred_calendar_type in ('google', 'outlook', 'apple', 'other')),
  constraint a_whole_week    check (private.is_week(weekly_hours)),
  constraint known_precision check (home_precision in ('exact', 'approximate')),
  constraint only_a_place_is_precise check (home_precision is null or home_latitude is not null)
);
create unique index drivers_email_key on public.drivers (lower(email));
create unique index drivers_google_calendar_key on public.drivers (google_calendar_id);

-- When a driver is away, or there although the weekly hours say otherwise. One stretch, from a day (and time) to a day (and time).
-- Read and written as driver_time_off, below.
create table public.driver_schedule_exceptions (
  id         uuid primary key default gen_random_uuid(),
  driver_id  uuid not null references public.drivers on delete cascade,
  entry_type text not null default 'time_off',
  start_date date not null,
  end_date   date not null,
  all_day    boolean not null default true,
  start_time time,
  end_time   time,
  created_by uuid references public.users,
  created_at timestamptz not null default public.task_now(),
  during     tstzrange not null generated always as (
    tstzrange((start_date + coalesce(start_time, '00:00')) at time zone private.office_zone(),
              (case when all_day then (end_date + 1)::timestamp else end_date + end_time end) at time zone private.office_zone())) stored,
  constraint known_entry      check (entry_type in ('time_off', 'override_available')),
  constraint all_day_or_times check (case when all_day then num_nonnulls(start_time, end_time) = 0 else num_nulls(start_time, end_time) = 0 end),
  constraint ends_after_start check (end_date >= start_date and (all_day or end_date + end_time > start_date + start_time)),
  constraint no_longer_than_a_year check (end_date - start_date <= 366)
);
create index driver_schedule_exceptions_driver on public.driver_schedule_exceptions (driver_id, end_date);
create index driver_schedule_exceptions_created_by on public.driver_schedule_exceptions (created_by);

-- Why: it may be about somebody's health, so it is a row of its own, which those who book trips do not get.
create table public.driver_time_off_reasons (
  exception_id uuid primary key references public.driver_schedule_exceptions on delete cascade,
  reason       text not null
);

create table public.destinations (
  id          uuid primary key default gen_random_uuid(),
  name        text not null,
  address     text not null,
  city        text,
  province    text,
  postal_code text,
  phone       text,
  notes       text,
  latitude    double precision,
  longitude   double precision,
  active      boolean not null default true,
  created_at  timestamptz not null default public.task_now(),
  updated_at  timestamptz not null default public.task_now(),
  email       text,
  contacts    jsonb not null default '[]',            -- [{name, phone, email, type}]
  precision   text,                                   -- of the point: exact, or approximate
  version     integer not null default 1,
  constraint a_point_has_two_numbers check ((latitude is null) = (longitude is null)),
  constraint known_contacts  check (private.are_contacts(contacts)),
  constraint known_precision check (precision in ('exact', 'approximate')),
  constraint only_a_place_is_precise check (precision is null or latitude is not null)
);
create unique index destinations_name_key on public.destinations (lower(name));

create table public.clients (
  id                       uuid primary key default gen_random_uuid(),
  knumber                  text not null,
  firstname                text not null,
  lastname                 text not null,
  full_name                text not null generated always as (firstname || ' ' || lastname) stored,
  phone                    text not null,             -- E.164
  email                    text,
  civicaddress             text not null,
  city                     text not null,
  prov                     text not null,
  postalcode               text not null,
  mapaddress               text,
  secondary_civic_address  text,
  secondary_city           text,
  secondary_province       text,
  secondary_postal_code    text,
  secondary_address_notes  text,
  emergency_contact_name   text,
  emergency_contact_number text,
  notes                    text,
  appointment_length       integer not null default 120,   -- minutes
  primary_clinic_id        uuid references public.destinations on delete set null,
  active                   boolean not null default true,
  status                   text not null default 'active',
  home_latitude            double precision,          -- where the map service places the civic address
  home_longitude           double precision,
  home_precision           text,                      -- exact, or approximate: then a person should check the address
  openphone_contact_id     text,                      -- the contact in Quo
  openphone_sync_date      timestamptz,
  created_at               timestamptz not null default public.task_now(),
  updated_at               timestamptz not null default public.task_now(),
  driver_gender_requirement text,
  preferred_driver         uuid references public.drivers on delete set null,
  profile_status           text not null default 'complete',
  created_via              text not null default 'standard',
  secondary_latitude       double precision,
  secondary_longitude      double precision,
  secondary_precision      text,
  version                  integer not null default 1,
  constraint k_number            check (knumber ~ '^K[0-9]{7}$'),
  constraint has_a_name          check (btrim(firstname) <> '' and btrim(lastname) <> ''),
  constraint phone_is_e164       check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  constraint postal_code         check (postalcode ~ '^[A-Z][0-9][A-Z] [0-9][A-Z][0-9]$'),
  constraint length_is_sane      check (appointment_length between 15 and 480),
  constraint known_status        check (status in ('active', 'inactive', 'archived')),
  constraint second_address_whole check (num_nulls(secondary_civic_address, secondary_city, secondary_province, secondary_postal_code) in (0, 4)),
  constraint known_precision     check (home_precision in ('exact', 'approximate')),
  constraint placed_as_a_whole   check (num_nulls(home_latitude, home_longitude, home_precision) in (0, 3)),
  constraint known_gender_requirement check (driver_gender_requirement in ('male', 'female')),
  constraint known_profile_status check (profile_status in ('complete', 'incomplete')),
  constraint known_origin        check (created_via in ('standard', 'fast_add')),
  constraint second_placed_as_a_whole check (num_nulls(secondary_latitude, secondary_longitude, secondary_precision) in (0, 3)),
  constraint known_second_precision check (secondary_precision in ('exact', 'approximate')),
  constraint active_says_the_same check (active = (status = 'active'))
);
create unique index clients_knumber_key on public.clients (knumber);
create index clients_by_name on public.clients (lower(lastname), lower(firstname), id);
create index clients_primary_clinic on public.clients (primary_clinic_id);
create index clients_preferred_driver on public.clients (preferred_driver);

-- How long each driver takes to each client. A pair without an answer says why, and does not fail the rest.
create table public.client_drive_times (
  client_id        uuid not null references public.clients on delete cascade,
  driver_id        uuid not null references public.drivers on delete cascade,
  duration_minutes integer,                           -- whole minutes, rounded up
  distance_km      numeric(8, 2),
  error            text,
  source           text not null,                     -- who measured: google, google stand-in, …
  calculated_at    timestamptz not null default public.task_now(),
  primary key (client_id, driver_id),
  constraint an_answer_or_a_reason check ((duration_minutes is null) = (error is not null)),
  constraint minutes_are_positive check (duration_minutes >= 0)
);
create index client_drive_times_driver on public.client_drive_times (driver_id);

-- How long a client takes to each clinic, from either address. Minutes carry the portal's buffer: see buffered_minutes.
create table public.client_clinic_times (
  client_id        uuid not null references public.clients on delete cascade,
  destination_id   uuid not null references public.destinations on delete cascade,
  place            text not null default 'primary',   -- which of the client's addresses
  duration_minutes integer,
  distance_km      numeric(8, 2),
  error            text,
  source           text not null,
  calculated_at    timestamptz not null default public.task_now(),
  primary key (client_id, destination_id, place),
  constraint known_place check (place in ('primary', 'secondary')),
  constraint an_answer_or_a_reason check ((duration_minutes is null) = (error is not null)),
  constraint minutes_are_buffered check (duration_minutes > 0 and duration_minutes % 5 = 0)
);
create index client_clinic_times_destination on public.client_clinic_times (destination_id);

-- What somebody has asked for and nobody has measured yet. Whatever is asked for while a task waits or runs is kept here, so that
-- one task per client serves it all. `ask` is new at each asking: an answer settles only what it was asked for.
create table public.clinic_times_wanted (
  client_id      uuid not null references public.clients on delete cascade,
  destination_id uuid not null references public.destinations on delete cascade,
  ask            uuid not null default gen_random_uuid(),
  primary key (client_id, destination_id)
);
create index clinic_times_wanted_destination on public.clinic_times_wanted (destination_id);

-- The portal's rule for what its booking pages read: whole minutes plus five, up to the next five. 15 → 20, 16 → 25.
create function private.buffered_minutes(p_minutes integer) returns integer
  language sql immutable set search_path = '' as $$ select (ceil((p_minutes + 5) / 5.0) * 5)::integer $$;

-- The object those pages know, made when it is read: by the clinic's name of today, so that a rename loses nothing.
-- {"<clinic>": {"destination_id", "primary": {"duration_minutes", "distance_km", "calculated_at", "error"?}, "secondary": {…}}}
create view public.clinic_travel_times with (security_invoker = true) as
  select t.client_id, jsonb_object_agg(t.name, jsonb_build_object('destination_id', t.destination_id) || t.places) as clinic_travel_times,
         min(t.oldest) as calculated_at
    from (select x.client_id, x.destination_id, d.name, min(x.calculated_at) as oldest,
                 jsonb_object_agg(x.place, jsonb_build_object('duration_minutes', x.duration_minutes, 'distance_km', x.distance_km,
                                                              'calculated_at', x.calculated_at)
                                           || case when x.error is null then '{}' else jsonb_build_object('error', x.error) end) as places
            from public.client_clinic_times x join public.destinations d on d.id = x.destination_id
           group by x.client_id, x.destination_id, d.name) t
   group by t.client_id;


-- ── What is measured never outlives its address ─────────────────────────────────────────────────────────────────

create function private.forget_place() returns trigger
  language plpgsql set search_path = '' as $$
begin
  new.home_latitude := null;
  new.home_longitude := null;
  new.home_precision := null;
  return new;
end $$;
create trigger clients_forget_place before update on public.clients
  for each row when ((old.civicaddress, old.city, old.prov, old.postalcode) is distinct from (new.civicaddress, new.city, new.prov, new.postalcode)
                     and (old.home_latitude, old.home_longitude) is not distinct from (new.home_latitude, new.home_longitude))
  execute function private.forget_place();
create trigger drivers_forget_place before update on public.drivers
  for each row when ((old.home_address, old.home_city, old.home_province, old.home_postal_code)
                       is distinct from (new.home_address, new.home_city, new.home_province, new.home_postal_code)
                     and (old.home_latitude, old.home_longitude) is not distinct from (new.home_latitude, new.home_longitude))
  execute function private.forget_place();

create function private.forget_second_place() returns trigger
  language plpgsql set search_path = '' as $$
begin
  new.secondary_latitude := null;
  new.secondary_longitude := null;
  new.secondary_precision := null;
  return new;
end $$;
create trigger clients_forget_second_place before update on public.clients
  for each row when ((old.secondary_civic_address, old.secondary_city, old.secondary_province, old.secondary_postal_code)
                       is distinct from (new.secondary_civic_address, new.secondary_city, new.secondary_province, new.secondary_postal_code)
                     and (old.secondary_latitude, old.secondary_longitude) is not distinct from (new.secondary_latitude, new.secondary_longitude))
  execute function private.forget_second_place();

create function private.forget_destination_place() returns trigger
  language plpgsql set search_path = '' as $$
begin
  new.latitude := null;
  new.longitude := null;
  new.precision := null;
  return new;
end $$;
create trigger destinations_forget_place before update on public.destinations
  for each row when ((old.address, old.city, old.province, old.postal_code) is distinct from (new.address, new.city, new.province, new.postal_code)
                     and (old.latitude, old.longitude) is not distinct from (new.latitude, new.longitude))
  execute function private.forget_destination_place();

-- The argument says which end moved. As the owner: whoever may move an address need not be able to delete times.
create function private.forget_times() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  if tg_argv[0] = 'driver' then
    delete from public.client_drive_times t where t.driver_id = new.id;
  elsif tg_argv[0] = 'destination' then
    delete from public.client_clinic_times t where t.destination_id = new.id;
  else
    delete from public.client_clinic_times t where t.client_id = new.id and t.place = tg_argv[0];
    delete from public.client_drive_times t where t.client_id = new.id and tg_argv[0] = 'primary';
  end if;
  return new;
end $$;
create trigger clients_forget_times after update on public.clients
  for each row when ((old.civicaddress, old.city, old.prov, old.postalcode) is distinct from (new.civicaddress, new.city, new.prov, new.postalcode))
  execute function private.forget_times('primary');
create trigger clients_forget_second_times after update on public.clients
  for each row when ((old.secondary_civic_address, old.secondary_city, old.secondary_province, old.secondary_postal_code)
                       is distinct from (new.secondary_civic_address, new.secondary_city, new.secondary_province, new.secondary_postal_code))
  execute function private.forget_times('secondary');
create trigger drivers_forget_times after update on public.drivers
  for each row when ((old.home_address, old.home_city, old.home_province, old.home_postal_code)
                       is distinct from (new.home_address, new.home_city, new.home_province, new.home_postal_code))
  execute function private.forget_times('driver');
create trigger destinations_forget_times after update on public.destinations
  for each row when ((old.address, old.city, old.province, old.postal_code) is distinct from (new.address, new.city, new.province, new.postal_code))
  execute function private.forget_times('destination');


-- ── Status and version ──────────────────────────────────────────────────────────────────────────────────────────

-- `active` and the three tiers of `status` say the same, whichever of them is written. Archiving is what the portal's roles
-- call deleting a client.
create function private.keep_client_status() returns trigger
  language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    new.status := case when new.status = 'active' and not new.active then 'inactive' else new.status end;
  elsif new.status = old.status and new.active <> old.active then
    new.status := case when new.active then 'active' else 'inactive' end;
  end if;
  new.active := new.status = 'active';
  if (new.status = 'archived') <> (tg_op = 'UPDATE' and old.status = 'archived') and private.is_person() and not private.may('delete_clients') then
    raise exception 'only supervisors archive clients, or take them back' using errcode = 'BT403',
      detail = 'Your role does not include it.', hint = 'Ask a supervisor.';
  end if;
  return new;
end $$;
create trigger clients_keep_status before insert or update of active, status on public.clients
  for each row execute function private.keep_client_status();

-- Raises `version` and `updated_at` when more has changed than the columns named in the arguments. Its triggers are named so
-- that they come last.
create function private.raise_version() returns trigger
  language plpgsql set search_path = '' as $$
begin
  if to_jsonb(old) - coalesce(tg_argv, '{}') - '{version,updated_at}'::text[] is distinct from to_jsonb(new) - coalesce(tg_argv, '{}') - '{version,updated_at}'::text[] then
    new.version := old.version + 1;
    new.updated_at := public.task_now();
  else
    new.version := old.version;
  end if;
  return new;
end $$;
create trigger clients_version before update on public.clients
  for each row execute function private.raise_version('full_name', 'home_latitude', 'home_longitude', 'home_precision', 'secondary_latitude',
                                                      'secondary_longitude', 'secondary_precision', 'openphone_contact_id', 'openphone_sync_date');
create trigger drivers_version before update on public.drivers
  for each row execute function private.raise_version('name', 'workload_preference', 'home_latitude', 'home_longitude', 'home_precision',
                                                      'google_calendar_id');
create trigger destinations_version before update on public.destinations
  for each row execute function private.raise_version('latitude', 'longitude', 'precision');


-- ── Logins of drivers and clients ───────────────────────────────────────────────────────────────────────────────

alter table public.users
  add column driver_id uuid references public.drivers on delete set null,
  add column client_id uuid references public.clients on delete set null,
  add constraint a_drivers_login check (driver_id is null or role = 'driver'),
  add constraint a_clients_login check (client_id is null or role = 'client');
create unique index users_driver_key on public.users (driver_id);
create unique index users_client_key on public.users (client_id);

create function private.unlink_other_role() returns trigger
  language plpgsql set search_path = '' as $$
begin
  new.driver_id := case when new.role = 'driver' then new.driver_id end;
  new.client_id := case when new.role = 'client' then new.client_id end;
  return new;
end $$;
create trigger users_unlink_other_role before update of role on public.users
  for each row when (old.role <> new.role) execute function private.unlink_other_role();

-- Says which driver, or which client, a login is; null for none.
create function private.link_user(p_user_id uuid, p_driver_id uuid default null, p_client_id uuid default null) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  update public.users u set driver_id = p_driver_id, client_id = p_client_id, updated_at = public.task_now() where u.id = p_user_id;
  if not found then
    raise exception 'there is no such user' using errcode = 'BT404', detail = 'Nobody has this id.', hint = 'Reload the list of users.';
  end if;
exception
  when unique_violation then
    raise exception 'somebody else signs in as this driver or client' using errcode = 'BT409',
      detail = 'Each has one login at most.', hint = 'Open that account instead.';
  when check_violation then
    raise exception 'this account has another role' using errcode = 'BT409',
      detail = 'Only a driver''s account is linked to a driver, and a client''s to a client.', hint = 'Change its role first.';
  when foreign_key_violation then
    raise exception 'there is no such driver or client' using errcode = 'BT404', detail = 'Nobody has this id.', hint = 'Choose from the list.';
end $$;

-- The driver, or client, that the caller is; null for everybody else.
create function private.my_driver() returns uuid
  language sql stable security definer set search_path = '' as $$ select u.driver_id from public.users u where u.id = private.my_id() $$;
create function private.my_client() returns uuid
  language sql stable security definer set search_path = '' as $$ select u.client_id from public.users u where u.id = private.my_id() $$;

-- The staff by name, for staff: agents do not see each other's accounts, but whose trip it is they do.
create function private.colleagues() returns table (id uuid, full_name text, role text)
  language sql stable security definer set search_path = '' as $$
  select u.id, u.full_name, u.role from public.users u
   where u.role in ('admin', 'supervisor', 'booking_agent') and (not private.is_person() or private.is_staff())
$$;

-- Whose time off it is, and who wrote it down: a driver writes their own.
create function private.sign_time_off() returns trigger
  language plpgsql set search_path = '' as $$
begin
  new.created_by := case when private.is_person() then auth.uid() else coalesce(new.created_by, auth.uid()) end;
  return new;
end $$;
create trigger driver_schedule_exceptions_sign before insert on public.driver_schedule_exceptions
  for each row execute function private.sign_time_off();

-- Both tables as one, under the name and with the columns that the portal knows. `reason` is null for those who may not know it.
create view public.driver_time_off with (security_invoker = true) as
  select e.id, e.driver_id, e.entry_type, e.start_date, e.end_date, e.all_day, e.start_time, e.end_time, r.reason, e.created_by, e.created_at, e.during
    from public.driver_schedule_exceptions e left join public.driver_time_off_reasons r on r.exception_id = e.id;
alter view public.driver_time_off alter column id set default gen_random_uuid();
alter view public.driver_time_off alter column entry_type set default 'time_off';
alter view public.driver_time_off alter column all_day set default true;
alter view public.driver_time_off alter column created_at set default public.task_now();

-- As whoever writes: the policies of the tables decide.
create function private.write_time_off() returns trigger
  language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' then
    delete from public.driver_schedule_exceptions e where e.id = old.id;
    if not found then
      return null;                                    -- not theirs to remove: no row was touched
    end if;
    return old;
  elsif tg_op = 'INSERT' then
    insert into public.driver_schedule_exceptions
           (id, driver_id, entry_type, start_date, end_date, all_day, start_time, end_time, created_by, created_at)
    values (new.id, new.driver_id, new.entry_type, new.start_date, new.end_date, new.all_day, new.start_time, new.end_time, new.created_by,
            new.created_at)
    returning created_by, during into new.created_by, new.during;
  else
    update public.driver_schedule_exceptions e
       set (driver_id, entry_type, start_date, end_date, all_day, start_time, end_time)
         = (new.driver_id, new.entry_type, new.start_date, new.end_date, new.all_day, new.start_time, new.end_time)
     where e.id = old.id
     returning e.id, e.created_by, e.created_at, e.during into new.id, new.created_by, new.created_at, new.during;
    if not found then
      return null;
    end if;
  end if;
  if new.reason is null then
    delete from public.driver_time_off_reasons r where r.exception_id = new.id;
  else
    insert into public.driver_time_off_reasons as r (exception_id, reason) values (new.id, new.reason)
    on conflict (exception_id) do update set reason = excluded.reason where r.reason <> excluded.reason;
  end if;
  return new;
end $$;
create trigger driver_time_off_write instead of insert or update or delete on public.driver_time_off
  for each row execute function private.write_time_off();


-- ── Settings of the office ──────────────────────────────────────────────────────────────────────────────────────
-- What the office decides for itself. Never a key or password: those are settings of the installation, and never in here.

create function private.is_setting(p_key text, p_value jsonb) returns boolean
  language sql immutable set search_path = '' as $$
  select coalesce(case
    when p_key in ('business_name', 'sms_signature') then jsonb_typeof(p_value) = 'string' and length(btrim(p_value #>> '{}')) between 1 and 60
    when p_key in ('business_address', 'invoice_footer') then jsonb_typeof(p_value) = 'string' and length(p_value #>> '{}') <= 500
    when p_key = 'tax_number' then jsonb_typeof(p_value) = 'string' and length(p_value #>> '{}') <= 30
    when p_key = 'support_phone' then p_value = 'null' or (jsonb_typeof(p_value) = 'string' and p_value #>> '{}' ~ '^\+[1-9][0-9]{6,14}$')
    when p_key in ('notices_on', 'reminders_on') then jsonb_typeof(p_value) = 'boolean'
    when p_key in ('reminder_window_start', 'reminder_window_end') then
      jsonb_typeof(p_value) = 'string' and p_value #>> '{}' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
    when jsonb_typeof(p_value) <> 'number' then p_key = 'default_rate' and p_value = 'null'
    when p_key = 'reminder_hours_before' then (p_value #>> '{}')::numeric between 1 and 72 and (p_value #>> '{}')::numeric % 1 = 0
    when p_key = 'invoice_due_days' then (p_value #>> '{}')::numeric between 0 and 120 and (p_value #>> '{}')::numeric % 1 = 0
    when p_key = 'tax_rate' then (p_value #>> '{}')::numeric between 0 and 1
    when p_key = 'default_rate' then (p_value #>> '{}')::numeric between 0 and 10000 and (p_value #>> '{}')::numeric * 100 % 1 = 0
    else false end, false)
$$;

create table public.office_settings (
  id          uuid primary key default gen_random_uuid(),
  key         text not null unique,
  value       jsonb not null,
  description text not null,
  about_costs boolean not null default false,         -- seen only by those who may see costs
  updated_by  uuid references public.users,
  updated_at  timestamptz not null default public.task_now(),
  constraint known_and_sound check (private.is_setting(key, value))
);
create index office_settings_updated_by on public.office_settings (updated_by);
insert into public.office_settings (key, value, description, about_costs)
values ('business_name', '"Dispatch office"', 'The office''s name, on invoices and in messages', false),
       ('business_address', '""', 'Its postal address, on invoices', false),
       ('sms_signature', '"Dispatch office"', 'How a text message ends', false),
       ('support_phone', 'null', 'The number people may call, in messages and on invoices', false),
       ('notices_on', 'true', 'Send text messages when a trip is booked, changed or cancelled', false),
       ('reminders_on', 'true', 'Send reminders by text message', false),
       ('reminder_hours_before', '24', 'How many hours before the pickup a reminder is sent', false),
       ('reminder_window_start', '"08:00"', 'No reminder is sent earlier in the day', false),
       ('reminder_window_end', '"20:00"', 'No reminder is sent later in the day', false),
       ('tax_rate', '0.14', 'Tax on invoices, as a fraction: 0.14 is 14 %', true),
       ('default_rate', 'null', 'What a trip costs that has no rate of its own', true),
       ('tax_number', '""', 'The registration number for that tax, on invoices', true),
       ('invoice_due_days', '30', 'Days until an invoice is due', true),
       ('invoice_footer', '""', 'Words at the foot of an invoice', true);

create function private.guard_setting() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  if new.key <> old.key or new.about_costs <> old.about_costs then
    raise exception 'a setting keeps its name' using errcode = 'BT409',
      detail = 'Programs know it by that name.', hint = 'Change its value only.';
  end if;
  new.updated_by := case when private.is_person() then auth.uid() else coalesce(new.updated_by, auth.uid()) end;
  new.updated_at := public.task_now();
  return new;
end $$;
create trigger office_settings_guard before update on public.office_settings for each row execute function private.guard_setting();

-- Judged at the end of the transaction, so that both ends of the window may be moved past each other; one at a time, so that
-- two people cannot move one end each.
create function private.guard_reminder_window() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtext('backhaul.reminder_window'));
  if (select max(s.value #>> '{}') filter (where s.key = 'reminder_window_start') >= max(s.value #>> '{}') filter (where s.key = 'reminder_window_end')
        from public.office_settings s where s.key in ('reminder_window_start', 'reminder_window_end')) then
    raise exception 'the window for reminders ends before it begins' using errcode = 'BT409',
      detail = 'No reminder could ever be sent.', hint = 'Choose a later end, or an earlier start.';
  end if;
  return null;
end $$;
create constraint trigger office_settings_window after update on public.office_settings deferrable initially deferred
  for each row when (new.key in ('reminder_window_start', 'reminder_window_end')) execute function private.guard_reminder_window();


-- ── Who may see and do what ─────────────────────────────────────────────────────────────────────────────────────

alter table public.clients enable row level security;
alter table public.drivers enable row level security;
alter table public.destinations enable row level security;
alter table public.client_drive_times enable row level security;
alter table public.driver_schedule_exceptions enable row level security;
alter table public.driver_time_off_reasons enable row level security;
alter table public.client_clinic_times enable row level security;
alter table public.clinic_times_wanted enable row level security;
alter table public.office_settings enable row level security;

create policy staff_read_clients on public.clients for select to authenticated using ((select private.is_staff()));
create policy staff_add_clients on public.clients for insert to authenticated with check ((select private.is_staff()));
create policy staff_change_clients on public.clients for update to authenticated
  using ((select private.is_staff())) with check ((select private.is_staff()));
create policy staff_and_the_driver_read_drivers on public.drivers for select to authenticated
  using ((select private.is_staff()) or id = (select private.my_driver()));
create policy managers_add_drivers on public.drivers for insert to authenticated with check ((select private.may('manage_drivers')));
create policy managers_change_drivers on public.drivers for update to authenticated
  using ((select private.may('manage_drivers'))) with check ((select private.may('manage_drivers')));
create policy staff_read_destinations on public.destinations for select to authenticated using ((select private.is_staff()));
create policy managers_add_destinations on public.destinations for insert to authenticated with check ((select private.may('manage_destinations')));
create policy managers_change_destinations on public.destinations for update to authenticated
  using ((select private.may('manage_destinations'))) with check ((select private.may('manage_destinations')));
create policy staff_read_drive_times on public.client_drive_times for select to authenticated using ((select private.is_staff()));
create policy staff_read_clinic_times on public.client_clinic_times for select to authenticated using ((select private.is_staff()));
create policy staff_read_what_is_wanted on public.clinic_times_wanted for select to authenticated using ((select private.is_staff()));
create policy staff_want_clinic_times on public.clinic_times_wanted for insert to authenticated with check ((select private.is_staff()));
create policy staff_want_them_anew on public.clinic_times_wanted for update to authenticated
  using ((select private.is_staff())) with check ((select private.is_staff()));

create policy staff_and_the_driver_read_time_off on public.driver_schedule_exceptions for select to authenticated
  using ((select private.is_staff()) or driver_id = (select private.my_driver()));
create policy managers_and_the_driver_add_time_off on public.driver_schedule_exceptions for insert to authenticated
  with check ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))));
create policy managers_and_the_driver_change_time_off on public.driver_schedule_exceptions for update to authenticated
  using ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))))
  with check ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))));
create policy managers_and_the_driver_remove_time_off on public.driver_schedule_exceptions for delete to authenticated
  using ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))));
create policy managers_and_the_driver_know_why on public.driver_time_off_reasons to authenticated
  using ((select private.may('manage_drivers'))
         or ((select private.may('manage_own_schedule'))
             and exception_id in (select e.id from public.driver_schedule_exceptions e where e.driver_id = (select private.my_driver()))))
  with check ((select private.may('manage_drivers'))
         or ((select private.may('manage_own_schedule'))
             and exception_id in (select e.id from public.driver_schedule_exceptions e where e.driver_id = (select private.my_driver()))));

create policy staff_read_settings on public.office_settings for select to authenticated
  using ((select private.is_staff()) and (not about_costs or (select private.may('view_costs'))));
create policy administrators_change_settings on public.office_settings for update to authenticated
  using ((select private.may('manage_system_config'))) with check ((select private.may('manage_system_config')));

revoke all on public.clients, public.drivers, public.destinations, public.client_drive_times, public.driver_schedule_exceptions,
              public.driver_time_off_reasons, public.driver_time_off,
              public.client_clinic_times, public.clinic_times_wanted, public.clinic_travel_times, public.office_settings
  from anon, authenticated, service_role;
grant select, insert, update on public.clients, public.drivers, public.destinations, public.clinic_times_wanted to authenticated;
grant select, insert, update, delete on public.driver_schedule_exceptions, public.driver_time_off_reasons, public.driver_time_off to authenticated;
grant select, update on public.office_settings to authenticated;
grant select on public.client_drive_times, public.client_clinic_times, public.clinic_travel_times to authenticated, service_role;
grant all on public.clients, public.drivers, public.destinations, public.client_drive_times, public.driver_schedule_exceptions,
             public.driver_time_off_reasons, public.driver_time_off,
             public.client_clinic_times, public.clinic_times_wanted to service_role;
grant select, update on public.office_settings to service_role;

revoke execute on all functions in schema private from public;
grant execute on function private.office_zone(), private.local_day(timestamptz), private.local_days(date, date), private.weekday(date),
                          private.is_week(jsonb), private.usual_week(), private.hours_on(jsonb, date), private.are_contacts(jsonb), private.buffered_minutes(integer),
                          private.is_setting(text, jsonb), private.link_user(uuid, uuid, uuid), private.my_driver(), private.my_client(),
                          private.colleagues() to authenticated, service_role;

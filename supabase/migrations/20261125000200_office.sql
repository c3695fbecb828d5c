-- The office: appointments, messages about them, invoices; drivers' hours and time off, times to clinics, settings, and which
-- driver or client a login is.

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
           tstzrange((p_day + (d.hours ->> 'start')::time) at time zone private.office_zone(),
                     (p_day + (d.hours ->> 'end')::time) at time zone private.office_zone()) end
    from (select p_week -> private.weekday(p_day) as hours) d
$$;

-- Whether these are people to ask for: [{"name", "phone", "email", "type"}], each named and of a known type.
create function private.are_contacts(p_contacts jsonb) returns boolean
  language sql immutable set search_path = '' as $$
  select case when jsonb_typeof(p_contacts) <> 'array' then false else
    (select coalesce(bool_and(coalesce(
              jsonb_typeof(c) = 'object' and btrim(c ->> 'name') <> '' and c ->> 'type' in ('main', 'billing', 'scheduling', 'other'), false)), true)
       from jsonb_array_elements(p_contacts) c) end
$$;


-- ── Clients, drivers, destinations ──

-- Telephone numbers of drivers were kept as they were typed; those that are no number go to the notes.
alter table public.drivers add column notes_of_migration text;
update public.drivers set notes_of_migration = 'Telephone, as it was written: ' || phone
 where phone !~ '^\+[1-9][0-9]{6,14}$' and regexp_replace(phone, '[^0-9]', '', 'g') !~ '^1?[2-9][0-9]{9}$';
update public.drivers
   set phone = case when notes_of_migration is null then '+1' || right(regexp_replace(phone, '[^0-9]', '', 'g'), 10) end
 where phone !~ '^\+[1-9][0-9]{6,14}$';
alter table public.drivers
  add column work_phone text,
  add column workload_percentage integer not null default 100,
  add column workload_preference text not null generated always as (
    case workload_percentage when 25 then 'minimal' when 50 then 'light' when 100 then 'normal' when 150 then 'heavy' else 'maximum' end) stored,
  add column preferred_calendar_type text not null default 'google',
  add column google_calendar_id text,
  add column weekly_hours jsonb not null default private.usual_week(),
  add column vehicle_description text,
  add column notes text,
  add column home_precision text,
  add column version integer not null default 1,
  add constraint phone_is_e164   check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  add constraint work_phone_is_e164 check (work_phone ~ '^\+[1-9][0-9]{6,14}$'),
  add constraint known_workload  check (workload_percentage in (25, 50, 100, 150, 200)),
  add constraint known_calendar  check (preferred_calendar_type in ('google', 'outlook', 'apple', 'other')),
  add constraint a_whole_week    check (private.is_week(weekly_hours)),
  add constraint known_precision check (home_precision in ('exact', 'approximate')),
  add constraint only_a_place_is_precise check (home_precision is null or home_latitude is not null);
update public.drivers set notes = notes_of_migration where notes_of_migration is not null;
alter table public.drivers drop column notes_of_migration;
create unique index drivers_google_calendar_key on public.drivers (google_calendar_id);
alter table public.destinations
  add column email text,
  add column contacts jsonb not null default '[]',
  add column precision text,
  add column version integer not null default 1,
  add constraint known_contacts  check (private.are_contacts(contacts)),
  add constraint known_precision check (precision in ('exact', 'approximate')),
  add constraint only_a_place_is_precise check (precision is null or latitude is not null);
update public.clients set active = (status = 'active') where active <> (status = 'active');
alter table public.clients
  add column driver_gender_requirement text,
  add column preferred_driver uuid references public.drivers on delete set null,
  add column profile_status text not null default 'complete',
  add column created_via text not null default 'standard',
  add column secondary_latitude double precision,
  add column secondary_longitude double precision,
  add column secondary_precision text,
  add column version integer not null default 1,
  add constraint known_gender_requirement check (driver_gender_requirement in ('male', 'female')),
  add constraint known_profile_status check (profile_status in ('complete', 'incomplete')),
  add constraint known_origin        check (created_via in ('standard', 'fast_add')),
  add constraint second_placed_as_a_whole check (num_nulls(secondary_latitude, secondary_longitude, secondary_precision) in (0, 3)),
  add constraint known_second_precision check (secondary_precision in ('exact', 'approximate')),
  add constraint active_says_the_same check (active = (status = 'active'));
create index clients_preferred_driver on public.clients (preferred_driver);

-- When a driver is away, or there although the weekly hours say otherwise. One stretch, from a day (and time) to a day (and time).
create table public.driver_time_off (
  id         uuid primary key default gen_random_uuid(),
  driver_id  uuid not null references public.drivers on delete cascade,
  entry_type text not null default 'time_off',
  start_date date not null,
  end_date   date not null,
  all_day    boolean not null default true,
  start_time time,
  end_time   time,
  reason     text,
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
create index driver_time_off_driver on public.driver_time_off (driver_id, end_date);
create index driver_time_off_created_by on public.driver_time_off (created_by);

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


-- ── What is measured never outlives its address ──

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
create trigger driver_time_off_sign before insert on public.driver_time_off for each row execute function private.sign_time_off();


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


-- ── Who may see and do what ──

alter table public.driver_time_off enable row level security;
alter table public.client_clinic_times enable row level security;
alter table public.office_settings enable row level security;

drop policy staff_read_drivers on public.drivers;
create policy staff_and_the_driver_read_drivers on public.drivers for select to authenticated
  using ((select private.is_staff()) or id = (select private.my_driver()));
create policy managers_add_drivers on public.drivers for insert to authenticated with check ((select private.may('manage_drivers')));
create policy managers_change_drivers on public.drivers for update to authenticated
  using ((select private.may('manage_drivers'))) with check ((select private.may('manage_drivers')));
create policy managers_add_destinations on public.destinations for insert to authenticated with check ((select private.may('manage_destinations')));
create policy managers_change_destinations on public.destinations for update to authenticated
  using ((select private.may('manage_destinations'))) with check ((select private.may('manage_destinations')));
create policy staff_read_clinic_times on public.client_clinic_times for select to authenticated using ((select private.is_staff()));

create policy staff_and_the_driver_read_time_off on public.driver_time_off for select to authenticated
  using ((select private.is_staff()) or driver_id = (select private.my_driver()));
create policy managers_and_the_driver_add_time_off on public.driver_time_off for insert to authenticated
  with check ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))));
create policy managers_and_the_driver_change_time_off on public.driver_time_off for update to authenticated
  using ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))))
  with check ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))));
create policy managers_and_the_driver_remove_time_off on public.driver_time_off for delete to authenticated
  using ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))));

create policy staff_read_settings on public.office_settings for select to authenticated
  using ((select private.is_staff()) and (not about_costs or (select private.may('view_costs'))));
create policy administrators_change_settings on public.office_settings for update to authenticated
  using ((select private.may('manage_system_config'))) with check ((select private.may('manage_system_config')));

revoke all on public.driver_time_off, public.client_clinic_times, public.clinic_travel_times, public.office_settings
  from anon, authenticated, service_role;
grant insert, update on public.drivers, public.destinations to authenticated;
grant select, insert, update, delete on public.driver_time_off to authenticated;
grant select, update on public.office_settings to authenticated;
grant select on public.client_clinic_times, public.clinic_travel_times to authenticated, service_role;
grant all on public.driver_time_off, public.client_clinic_times to service_role;
grant select, update on public.office_settings to service_role;

revoke execute on all functions in schema private from public;
grant execute on function private.office_zone(), private.local_day(timestamptz), private.local_days(date, date), private.weekday(date),
                          private.is_week(jsonb), private.usual_week(), private.hours_on(jsonb, date), private.are_contacts(jsonb), private.buffered_minutes(integer),
                          private.is_setting(text, jsonb), private.link_user(uuid, uuid, uuid), private.my_driver(), private.my_client(),
                          private.colleagues() to authenticated, service_role;


-- ── Appointments: see sql/appointments_schema.sql ──

create table public.appointments (
  id                  uuid primary key default gen_random_uuid(),
  client_id           uuid references public.clients,
  appointment_type    text not null default 'round_trip',
  trip_direction      text,
  event_name          text,                           -- of a support trip
  appointmenttime     timestamptz not null,
  pickuptime          timestamptz not null,
  drop_off_time       timestamptz not null,
  transittime         integer not null default 30,    -- minutes
  this_appointment_length integer not null default 120,
  clinic_id           uuid references public.destinations,
  locationname        text,                           -- the place as it was booked
  locationaddress     text,
  pickup_address      text,                           -- null: the client's own
  notes               text,                           -- between agents
  scheduling_notes    text,
  driver_instructions text,
  operation_status    text not null default 'pending',
  driver_assigned     uuid references public.drivers,
  preferred_driver    uuid references public.drivers,
  managed_by          uuid references public.users,
  completed_at        timestamptz,
  cancelled_at        timestamptz,
  cancelled_by        uuid references public.users,
  cancellation_reason text,
  deleted_at          timestamptz,                    -- archived
  deleted_by          uuid references public.users,
  purged_at           timestamptz,                    -- deleted for good
  invoice_status      text not null default 'not_ready',
  invoice_id          uuid,                           -- see invoices_schema.sql
  created_by          uuid references public.users,
  created_at          timestamptz not null default public.task_now(),
  updated_at          timestamptz not null default public.task_now(),
  version             integer not null default 1,
  constraint known_type            check (appointment_type in ('round_trip', 'one_way', 'support')),
  constraint one_way_has_a_direction check (case when appointment_type = 'one_way' then coalesce(trip_direction in ('to_clinic', 'to_home'), false)
                                                 else trip_direction is null end),
  constraint a_trip_is_somebodys   check (client_id is not null or (appointment_type = 'support' and btrim(coalesce(event_name, '')) <> '')),
  constraint transit_is_sane       check (transittime between 1 and 600),
  constraint length_is_sane        check (this_appointment_length between 5 and 720),
  constraint known_status          check (operation_status in ('pending', 'assigned', 'completed', 'cancelled')),
  constraint pending_has_no_driver check ((operation_status = 'pending') = (driver_assigned is null)),
  constraint completed_says_when   check ((operation_status = 'completed') = (completed_at is not null)),
  constraint cancelled_says_why    check (case when operation_status = 'cancelled' then cancelled_at is not null and btrim(coalesce(cancellation_reason, '')) <> ''
                                               else num_nonnulls(cancelled_at, cancelled_by, cancellation_reason) = 0 end),
  constraint archived_has_no_driver check (deleted_at is null or driver_assigned is null or purged_at is not null),
  constraint purged_is_deleted     check (purged_at is null or deleted_at is not null),
  constraint known_invoice_status  check (invoice_status in ('not_ready', 'ready', 'created', 'sent', 'paid')),
  constraint ready_was_driven      check (invoice_status = 'not_ready' or (operation_status = 'completed' and client_id is not null and deleted_at is null)),
  constraint invoiced_has_an_invoice check ((invoice_id is null) = (invoice_status in ('not_ready', 'ready')))
);
create index appointments_by_time on public.appointments (appointmenttime, id);
create index appointments_by_driver on public.appointments (driver_assigned, pickuptime);
create index appointments_by_client on public.appointments (client_id, appointmenttime);
create index appointments_pending on public.appointments (appointmenttime) where operation_status = 'pending' and deleted_at is null;
create index appointments_ready on public.appointments (client_id) where invoice_status = 'ready';
create index appointments_clinic on public.appointments (clinic_id);
create index appointments_invoice on public.appointments (invoice_id) where invoice_id is not null;
create index appointments_preferred_driver on public.appointments (preferred_driver) where preferred_driver is not null;
create index appointments_managed_by on public.appointments (managed_by) where managed_by is not null;
create index appointments_created_by on public.appointments (created_by) where created_by is not null;
create index appointments_cancelled_by on public.appointments (cancelled_by) where cancelled_by is not null;
create index appointments_deleted_by on public.appointments (deleted_by) where deleted_by is not null;

-- What a trip costs, and who has been paid for it.
create table public.appointment_costs (
  appointment_id        uuid primary key references public.appointments on delete cascade,
  custom_rate           numeric(10, 2),               -- null: the office's default rate
  driver_paid_at        timestamptz,
  booking_agent_paid_at timestamptz,
  updated_by            uuid references public.users,
  updated_at            timestamptz not null default public.task_now(),
  constraint rate_is_sane check (custom_rate between 0 and 10000)
);
create index appointment_costs_updated_by on public.appointment_costs (updated_by);

-- What is known of a trip in each calendar it has been put into. One event at a time: event_id is there while the event is, or
-- may be. An event that was deleted keeps its id at Google for good, so the next one there is of the next generation.
create table public.appointment_events (
  appointment_id uuid not null references public.appointments,
  calendar_id    text not null,
  driver_id      uuid not null references public.drivers,
  generation     integer not null default 1,
  event_id       text,
  synced_hash    text,                                -- of what was last written there
  synced_at      timestamptz,
  error          text,                                -- why it is not there as it should be
  primary key (appointment_id, calendar_id),
  constraint generation_counts  check (generation > 0),
  constraint synced_says_what   check ((synced_hash is null) = (synced_at is null)),
  constraint only_an_event_is_synced check (synced_hash is null or event_id is not null)
);
create index appointment_events_driver on public.appointment_events (driver_id);

create table private.status_moves (
  before     text not null,
  after      text not null,
  permission text not null,
  primary key (before, after)
);
insert into private.status_moves (before, after, permission)
values ('pending', 'assigned', 'assign_drivers'), ('assigned', 'pending', 'assign_drivers'),
       ('assigned', 'completed', 'assign_drivers'), ('completed', 'assigned', 'assign_drivers'),
       ('assigned', 'cancelled', 'delete_appointments'),
       ('cancelled', 'pending', 'assign_drivers'), ('cancelled', 'assigned', 'assign_drivers');


-- ── What a stretch of time clashes with ─────────────────────────────────────────────────────────────────────────

create function private.trip_times(p_type text, p_direction text, p_at timestamptz, p_transit integer, p_length integer) returns tstzrange
  language sql immutable set search_path = '' as $$
  select tstzrange(p_at - case when p_type = 'round_trip' or p_direction = 'to_clinic' then p_transit else 0 end * interval '1 minute',
                   p_at + (case when p_type in ('round_trip', 'support') then p_length else 0 end
                           + case when p_type = 'round_trip' or p_direction = 'to_home' then p_transit else 0 end) * interval '1 minute')
$$;

-- The drive from a client to a clinic as it is kept, in minutes: from the first address, else from the second; null if unknown.
create function private.known_transit(p_client uuid, p_clinic uuid) returns integer
  language sql stable set search_path = '' as $$
  select t.duration_minutes from public.client_clinic_times t
   where t.client_id = p_client and t.destination_id = p_clinic and t.duration_minutes is not null order by t.place limit 1
$$;

-- "9:05–11:40": the office's wall times.
create function private.clock_times(p_during tstzrange) returns text
  language sql stable set search_path = '' as $$
  select to_char(lower(p_during) at time zone private.office_zone(), 'FMHH24:MI') || '–'
         || to_char(upper(p_during) at time zone private.office_zone(), 'FMHH24:MI')
$$;

-- Everything that keeps a driver from a stretch of time. kind: trip, time_off, hours (outside the week they keep), inactive.
-- hard: refused; otherwise a warning. p_but: the trip that is being moved.
create function private.driver_conflicts(p_driver uuid, p_during tstzrange, p_but uuid default null)
  returns table (kind text, hard boolean, id uuid, during tstzrange, label text)
  language sql stable set search_path = '' as $$
  select 'trip', true, a.id, tstzrange(a.pickuptime, a.drop_off_time), coalesce(c.knumber, a.event_name)
    from public.appointments a left join public.clients c on c.id = a.client_id
   where a.driver_assigned = p_driver and a.operation_status in ('assigned', 'completed') and a.deleted_at is null
     and a.pickuptime < upper(p_during) and a.pickuptime > lower(p_during) - interval '2 days'   -- no trip is longer: transit_is_sane
     and a.drop_off_time > lower(p_during) and a.id is distinct from p_but
  union all
  select 'time_off', true, t.id, t.during, 'time off'
    from public.driver_time_off t
   where t.driver_id = p_driver and t.entry_type = 'time_off' and t.during && p_during
     and t.end_date >= private.local_day(lower(p_during)) and t.start_date <= private.local_day(upper(p_during))
  union all
  select 'inactive', true, d.id, p_during, 'no longer drives' from public.drivers d where d.id = p_driver and not d.active
  union all
  select 'hours', false, d.id, h.week, case when isempty(h.week) then 'day off' else 'outside ' || private.clock_times(h.week) end
    from public.drivers d
   cross join lateral (select coalesce(private.hours_on(d.weekly_hours, private.local_day(lower(p_during))), 'empty') as week) h
   where d.id = p_driver and not h.week @> p_during
     and not exists (select from public.driver_time_off t
                      where t.driver_id = p_driver and t.entry_type = 'override_available' and t.during @> p_during)
$$;

-- The same of one trip, as it stands, with what the client asks for besides: a driver's gender, one particular driver.
create function private.assignment_conflicts(p_appointment uuid, p_driver uuid)
  returns table (kind text, hard boolean, id uuid, during tstzrange, label text)
  language sql stable set search_path = '' as $$
  select c.* from public.appointments a
   cross join lateral private.driver_conflicts(p_driver, tstzrange(a.pickuptime, a.drop_off_time), a.id) c
   where a.id = p_appointment
  union all
  select 'gender', false, d.id, null, 'the client asks for a ' || k.driver_gender_requirement || ' driver'
    from public.appointments a join public.clients k on k.id = a.client_id join public.drivers d on d.id = p_driver
   where a.id = p_appointment and d.gender is distinct from k.driver_gender_requirement and k.driver_gender_requirement is not null
  union all
  select 'preferred', false, w.id, null, 'the client prefers ' || w.name
    from public.appointments a left join public.clients k on k.id = a.client_id
    join public.drivers w on w.id = coalesce(a.preferred_driver, k.preferred_driver)
   where a.id = p_appointment and w.id <> p_driver
$$;


-- ── Guards, in the order of their names ─────────────────────────────────────────────────────────────────────────

-- A trip to another clinic, or of another client, takes the drive that is known between them, unless it is given as well.
create function private.set_trip() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  changed constant boolean := tg_op = 'UPDATE';
  times tstzrange;
begin
  if changed and new.transittime <> old.transittime then
    if private.is_person() and not private.may('assign_drivers') then
      raise exception 'you may not change the transit time' using errcode = 'BT403', detail = 'Your role does not include it.', hint = 'Ask a supervisor.';
    end if;
  elsif changed and (new.client_id, new.clinic_id) is distinct from (old.client_id, old.clinic_id) then
    new.transittime := coalesce(private.known_transit(new.client_id, new.clinic_id), new.transittime);
  end if;
  new.trip_direction := case when new.appointment_type = 'one_way' then new.trip_direction end;
  times := private.trip_times(new.appointment_type, new.trip_direction, new.appointmenttime, new.transittime, new.this_appointment_length);
  new.pickuptime := lower(times);
  new.drop_off_time := upper(times);
  if new.clinic_id is not null and (not changed or new.clinic_id is distinct from old.clinic_id) then   -- as it is called today
    select case when changed and new.locationname is not distinct from old.locationname then d.name else coalesce(new.locationname, d.name) end,
           case when changed and new.locationaddress is not distinct from old.locationaddress then p.line
                else coalesce(new.locationaddress, p.line) end
      into new.locationname, new.locationaddress
      from public.destinations d
     cross join lateral (select concat_ws(', ', d.address, d.city, nullif(concat_ws(' ', d.province, d.postal_code), '')) as line) p
     where d.id = new.clinic_id;
  end if;
  if changed then
    new.created_by := old.created_by;
    new.created_at := old.created_at;
  else
    new.created_by := case when private.is_person() then auth.uid() else coalesce(new.created_by, auth.uid()) end;
    if private.is_person() and not private.is_supervisor() then
      new.managed_by := coalesce(new.managed_by, auth.uid());
    end if;
  end if;
  if (not changed or new.client_id is distinct from old.client_id)
     and exists (select from public.clients c where c.id = new.client_id and c.status = 'archived') then
    raise exception 'this client is archived' using errcode = 'BT409',
      detail = 'No trips are booked for archived clients.', hint = 'Take the client back first, or choose another.';
  end if;
  return new;
end $$;
create trigger appointments_1_trip before insert or update on public.appointments for each row execute function private.set_trip();

create function private.guard_appointment_status() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  moved constant boolean := tg_op = 'INSERT' or new.operation_status <> old.operation_status;
begin
  if tg_op = 'UPDATE' and old.deleted_at is not null then
    if old.purged_at is not null then
      raise exception 'appointment not found' using errcode = 'BT404', detail = 'It was deleted.', hint = 'Reload the list.';
    end if;
    if new.deleted_at is not null and new.purged_at is null then
      raise exception 'this appointment is archived' using errcode = 'BT409',
        detail = 'Archived appointments stay as they are.', hint = 'Restore it first.';
    end if;
  end if;
  if tg_op = 'UPDATE' and new.deleted_at is not null and old.deleted_at is null and new.purged_at is null and old.driver_assigned is not null then
    raise exception 'cannot archive: appointment has assigned driver or not found' using errcode = 'BT409', hint = 'Cancel it instead, or take the driver off first.';
  end if;

  -- the status follows the driver, unless it is given as well
  if new.operation_status in ('pending', 'assigned')
     and (tg_op = 'INSERT' or (not moved and new.driver_assigned is distinct from old.driver_assigned)) then
    new.operation_status := case when new.driver_assigned is null then 'pending' else 'assigned' end;
  elsif new.operation_status = 'cancelled' and new.driver_assigned is null and moved then
    raise exception 'cannot cancel: no driver assigned. Use Archive instead.' using errcode = 'BT409', hint = 'Archive the appointment.';
  elsif new.operation_status <> 'pending' and new.driver_assigned is null then
    raise exception 'a trip that is % has a driver', new.operation_status using errcode = 'BT409',
      detail = 'None was given.', hint = 'Choose a driver, or make it pending.';
  elsif new.operation_status = 'pending' and new.driver_assigned is not null then
    raise exception 'a pending trip has no driver' using errcode = 'BT409',
      detail = 'This one would have.', hint = 'Take the driver off as well, or leave the status as it is.';
  elsif not moved and new.operation_status = 'cancelled' and new.driver_assigned is distinct from old.driver_assigned then
    raise exception 'a cancelled trip keeps its driver' using errcode = 'BT409',
      detail = 'It shows who was told.', hint = 'Reactivate the appointment, then assign it.';
  end if;
  if tg_op = 'UPDATE' and new.operation_status <> old.operation_status
     and not exists (select from private.status_moves m where m.before = old.operation_status and m.after = new.operation_status) then
    raise exception 'a trip that is % cannot become %', old.operation_status, new.operation_status using errcode = 'BT409',
      detail = 'There is no such step.', hint = 'Reload the appointment and choose another.';
  end if;

  if new.operation_status = 'cancelled' then
    if btrim(coalesce(new.cancellation_reason, '')) = '' then
      raise exception 'cancellation reason required' using errcode = 'BT400', hint = 'Say why the trip is cancelled.';
    end if;
    new.cancelled_at := coalesce(new.cancelled_at, public.task_now());
  else
    new.cancelled_at := null;
    new.cancelled_by := null;
    new.cancellation_reason := null;
  end if;
  new.completed_at := case when new.operation_status = 'completed' then coalesce(new.completed_at, public.task_now()) end;
  if new.deleted_at is null then
    new.deleted_by := null;
  end if;
  return new;
end $$;
create trigger appointments_2_status before insert or update on public.appointments for each row execute function private.guard_appointment_status();

-- What a role may change, of people only. What n8n and the tasks do, they do for somebody who was asked already.
create function private.guard_appointment_rights() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  made constant boolean := tg_op = 'INSERT';
  needed text;
  what text;
begin
  if not private.is_person() then
    return new;
  end if;
  if (case when made then new.driver_assigned is not null else new.driver_assigned is distinct from old.driver_assigned end) then
    what := 'change the driver'; needed := 'assign_drivers';
  elsif not made and new.managed_by is distinct from old.managed_by then
    what := 'change the managing agent'; needed := 'assign_drivers';
  elsif made and new.managed_by is distinct from auth.uid() and new.managed_by is not null then
    what := 'choose another managing agent'; needed := 'assign_drivers';
  elsif (case when made then new.invoice_status <> 'not_ready' else new.invoice_status <> old.invoice_status end) then
    what := 'say what is ready for an invoice'; needed := 'view_costs';
  elsif made and (new.operation_status <> 'pending' or new.deleted_at is not null) then
    what := 'book a trip that is over'; needed := 'assign_drivers';
  elsif not made and new.purged_at is not null and old.purged_at is null then
    what := 'delete appointments for good'; needed := 'hard_delete_appointments';
  elsif not made and new.deleted_at is null and old.deleted_at is not null then
    what := 'restore archived appointments'; needed := 'assign_drivers';
  elsif not made and new.deleted_at is not null and old.deleted_at is null then
    what := 'archive appointments'; needed := 'delete_appointments';
  end if;
  if needed is not null and not private.may(needed) then
    raise exception 'you may not %', what using errcode = 'BT403', detail = 'Your role does not include it.', hint = 'Ask a supervisor.';
  end if;
  if not made and new.operation_status <> old.operation_status
     and not private.may((select m.permission from private.status_moves m where m.before = old.operation_status and m.after = new.operation_status)) then
    raise exception 'you may not change the status' using errcode = 'BT403', detail = 'Your role does not include it.', hint = 'Ask a supervisor.';
  end if;
  if made or new.operation_status <> old.operation_status then
    new.cancelled_by := case when new.operation_status = 'cancelled' then auth.uid() end;
  else   -- what is stamped stays
    new.cancelled_by := old.cancelled_by;
    new.cancelled_at := old.cancelled_at;
    new.completed_at := old.completed_at;
  end if;
  if new.deleted_at is not null and (made or old.deleted_at is null) then
    new.deleted_by := auth.uid();
  end if;
  return new;
end $$;
create trigger appointments_3_rights before insert or update on public.appointments for each row execute function private.guard_appointment_rights();

-- Looks while it holds the driver's row: what another transaction is just assigning is seen, or waits for us.
create function private.guard_driver() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  clashes text;
begin
  if new.driver_assigned is null or new.operation_status not in ('assigned', 'completed') or new.deleted_at is not null then
    return new;
  end if;
  if tg_op = 'UPDATE' and (new.driver_assigned, new.pickuptime, new.drop_off_time) is not distinct from (old.driver_assigned, old.pickuptime, old.drop_off_time)
     and old.operation_status in ('assigned', 'completed') and old.deleted_at is null then
    return new;
  end if;
  perform from public.drivers d where d.id = new.driver_assigned for no key update;
  select string_agg(case c.kind when 'inactive' then c.label
                                else initcap(left(c.kind, 1)) || replace(substr(c.kind, 2), '_', ' ') || ' ' || private.clock_times(c.during)
                                     || case when c.kind = 'trip' then format(' (%s)', c.label) else '' end end, '; ' order by lower(c.during), c.id)
    into clashes
    from private.driver_conflicts(new.driver_assigned, tstzrange(new.pickuptime, new.drop_off_time), new.id) c where c.hard;
  if clashes is not null then
    raise exception 'the driver is not free from %', replace(private.clock_times(tstzrange(new.pickuptime, new.drop_off_time)), '–', ' to ')
      using errcode = 'BT409', detail = clashes || '.', hint = 'Choose another driver or another time.';
  end if;
  return new;
end $$;
create trigger appointments_4_driver before insert or update on public.appointments for each row execute function private.guard_driver();

create trigger appointments_version before update on public.appointments for each row execute function private.raise_version();

create function private.sign_cost() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  if new.custom_rate is distinct from (case when tg_op = 'UPDATE' then old.custom_rate end)
     and exists (select from public.appointments a where a.id = new.appointment_id and a.invoice_id is not null) then
    raise exception 'this trip is on an invoice' using errcode = 'BT409',
      detail = 'Its price is what the invoice says.', hint = 'Void the invoice first.';
  end if;
  new.updated_by := case when private.is_person() then auth.uid() else coalesce(new.updated_by, auth.uid()) end;
  new.updated_at := public.task_now();
  return new;
end $$;
create trigger appointment_costs_sign before insert or update on public.appointment_costs for each row execute function private.sign_cost();


-- ── What people do with a trip besides editing it ───────────────────────────────────────────────────────────────
-- In the caller's own rights. p_by: for whom the house acts; a person is always themselves.

create function private.no_such_appointment() returns void
  language plpgsql set search_path = '' as $$
begin
  raise exception 'appointment not found' using errcode = 'BT404',
    detail = 'It does not exist, or is not yours to see.', hint = 'Reload the list.';
end $$;

create function private.cancel_appointment(p_appointment uuid, p_reason text, p_by uuid default null) returns public.appointments
  language plpgsql set search_path = '' as $$
declare
  trip public.appointments;
begin
  update public.appointments a set operation_status = 'cancelled', cancellation_reason = btrim(p_reason), cancelled_by = private.acting_user(p_by)
   where a.id = p_appointment and a.operation_status <> 'cancelled' returning a.* into trip;
  if found then
    return trip;
  end if;
  perform from public.appointments a where a.id = p_appointment;
  if not found then
    perform private.no_such_appointment();
  end if;
  raise exception 'this appointment is already cancelled' using errcode = 'BT409', hint = 'There is nothing left to do.';
end $$;

create function private.archive_appointment(p_appointment uuid, p_by uuid default null) returns public.appointments
  language plpgsql set search_path = '' as $$
declare
  trip public.appointments;
begin
  update public.appointments a set deleted_at = public.task_now(), deleted_by = private.acting_user(p_by)
   where a.id = p_appointment and a.driver_assigned is null and a.deleted_at is null returning a.* into trip;
  if not found then
    raise exception 'cannot archive: appointment has assigned driver or not found' using errcode = 'BT409', hint = 'Cancel it instead, or reload the list.';
  end if;
  return trip;
end $$;

create function private.unarchive_appointment(p_appointment uuid) returns public.appointments
  language plpgsql set search_path = '' as $$
declare
  trip public.appointments;
begin
  update public.appointments a set deleted_at = null, deleted_by = null
   where a.id = p_appointment and a.deleted_at is not null and a.purged_at is null returning a.* into trip;
  if not found then
    perform private.no_such_appointment();
  end if;
  return trip;
end $$;

-- For good: it is on no list any more, and cannot be restored.
create function private.delete_appointment(p_appointment uuid, p_by uuid default null) returns public.appointments
  language plpgsql set search_path = '' as $$
declare
  trip public.appointments;
begin
  if private.is_person() and not private.may('hard_delete_appointments') then
    raise exception 'Administrator access required to permanently delete appointments' using errcode = 'BT403', hint = 'Ask an administrator, or archive it.';
  end if;
  update public.appointments a
     set purged_at = public.task_now(), deleted_at = coalesce(a.deleted_at, public.task_now()), deleted_by = coalesce(a.deleted_by, private.acting_user(p_by)),
         invoice_status = case when a.invoice_status = 'ready' then 'not_ready' else a.invoice_status end
   where a.id = p_appointment and a.purged_at is null returning a.* into trip;
  if not found then
    perform private.no_such_appointment();
  end if;
  return trip;
end $$;


-- ── Trips as they are read ──────────────────────────────────────────────────────────────────────────────────────

-- A trip with the names of all who have to do with it, and where the client is fetched. What it costs is null to whoever may
-- not see costs.
create view public.trips with (security_invoker = true) as
  select a.id, a.client_id, c.knumber, c.full_name as client_name, c.firstname as client_first_name, c.lastname as client_last_name,
         c.phone as client_phone, c.email as client_email, a.appointment_type, a.trip_direction, a.event_name,
         a.appointmenttime, a.pickuptime, a.drop_off_time, a.transittime, a.this_appointment_length,
         a.clinic_id, a.locationname, a.locationaddress, a.pickup_address,
         coalesce(a.pickup_address, case when c.id is not null then concat_ws(', ', c.civicaddress, c.city, c.prov || ' ' || c.postalcode) end) as pickup_from,
         a.notes, a.scheduling_notes, a.driver_instructions, a.operation_status,
         a.driver_assigned, d.name as driver_name, d.first_name as driver_first_name, d.email as driver_email,
         coalesce(d.work_phone, d.phone) as driver_phone, d.google_calendar_id as driver_calendar_id,
         a.preferred_driver, a.managed_by, m.full_name as managed_by_name, a.completed_at, a.cancelled_at, a.cancelled_by, a.cancellation_reason,
         a.deleted_at, a.deleted_by, a.purged_at, a.invoice_status, a.invoice_id, k.custom_rate, a.created_by, a.created_at, a.updated_at, a.version
    from public.appointments a
    left join public.clients c on c.id = a.client_id
    left join public.drivers d on d.id = a.driver_assigned
    left join private.colleagues() m on m.id = a.managed_by
    left join public.appointment_costs k on k.appointment_id = a.id;


-- ── Drivers' and clients' own trips ─────────────────────────────────────────────────────────────────────────────

-- As the owner, because row-level security cannot hide columns: a driver gets whom to fetch, where, and how to ring them; a
-- client gets who comes. Notes, costs, K numbers and the reasons of trips are the office's. Archived trips are nobody's.
create function private.my_trips(p_from timestamptz default '-infinity', p_to timestamptz default 'infinity')
  returns table (id uuid, appointment_type text, trip_direction text, event_name text, appointmenttime timestamptz, pickuptime timestamptz,
                 drop_off_time timestamptz, operation_status text, locationname text, locationaddress text, pickup_address text,
                 driver_instructions text, client_name text, client_phone text, driver_first_name text)
  language sql stable security definer set search_path = '' as $$
  select a.id, a.appointment_type, a.trip_direction, a.event_name, a.appointmenttime, a.pickuptime, a.drop_off_time, a.operation_status,
         a.locationname, a.locationaddress,
         coalesce(a.pickup_address, case when c.id is not null then concat_ws(', ', c.civicaddress, c.city, c.prov || ' ' || c.postalcode) end),
         case when me.drives then a.driver_instructions end, c.full_name, case when me.drives then c.phone end,
         case when not me.drives then d.first_name end
    from (select private.my_driver() as driver, private.my_client() as client) who
   cross join lateral (select who.driver is not null as drives) me
    join public.appointments a on a.deleted_at is null and a.pickuptime >= p_from and a.pickuptime < p_to
         and (a.driver_assigned = who.driver or a.client_id = who.client)
    left join public.clients c on c.id = a.client_id
    left join public.drivers d on d.id = a.driver_assigned
$$;

create view public.my_trips with (security_invoker = true) as select * from private.my_trips();


-- ── Who may see and do what ─────────────────────────────────────────────────────────────────────────────────────

alter table public.appointments enable row level security;
alter table public.appointment_costs enable row level security;
alter table public.appointment_events enable row level security;

create policy staff_read_appointments on public.appointments for select to authenticated
  using ((select private.may('view_appointments')) and (purged_at is null or (select private.may('hard_delete_appointments'))));
create policy staff_add_appointments on public.appointments for insert to authenticated with check ((select private.may('create_appointments')));
create policy staff_change_appointments on public.appointments for update to authenticated
  using ((select private.may('edit_appointments'))) with check ((select private.may('edit_appointments')));
create policy those_who_may_see_costs_read_them on public.appointment_costs for select to authenticated using ((select private.may('view_costs')));
create policy those_who_may_see_costs_add_them on public.appointment_costs for insert to authenticated with check ((select private.may('view_costs')));
create policy those_who_may_see_costs_change_them on public.appointment_costs for update to authenticated
  using ((select private.may('view_costs'))) with check ((select private.may('view_costs')));
create policy staff_read_events on public.appointment_events for select to authenticated using ((select private.is_staff()));

revoke all on public.appointments, public.appointment_costs, public.appointment_events, public.trips, public.my_trips from anon, authenticated, service_role;
grant select, insert, update on public.appointments, public.appointment_costs to authenticated;
grant select on public.appointment_events to authenticated;
grant select on public.trips, public.my_trips to authenticated, service_role;
grant all on public.appointments, public.appointment_costs, public.appointment_events to service_role;
grant select on private.status_moves to service_role;

revoke execute on all functions in schema private from public;
grant execute on function private.trip_times(text, text, timestamptz, integer, integer), private.clock_times(tstzrange), private.known_transit(uuid, uuid),
                          private.driver_conflicts(uuid, tstzrange, uuid), private.assignment_conflicts(uuid, uuid),
                          private.no_such_appointment(), private.cancel_appointment(uuid, text, uuid), private.archive_appointment(uuid, uuid),
                          private.unarchive_appointment(uuid), private.delete_appointment(uuid, uuid), private.my_trips(timestamptz, timestamptz)
                          to authenticated, service_role;


-- ── Messages: see sql/messages_schema.sql ──

create function private.placeholders() returns text[]
  language sql immutable set search_path = '' as $$
  select '{client_first_name,driver_first_name,date,pickup_time,appointment_time,pickup_town,business_name,support_phone,signature}'::text[]
$$;

-- Whether a template can be filled in: known placeholders only, and no brace left over.
create function private.is_template(p_body text) returns boolean
  language sql immutable set search_path = '' as $$
  select btrim(p_body) <> '' and length(p_body) <= 400
         and regexp_replace(p_body, '\{(' || array_to_string(private.placeholders(), '|') || ')\}', '', 'g') !~ '[{}]'
$$;

create table public.message_templates (
  id         uuid primary key default gen_random_uuid(),
  audience   text not null,
  kind       text not null,
  body       text not null,
  usual_body text not null,                           -- what to go back to
  updated_by uuid references public.users,
  updated_at timestamptz not null default public.task_now(),
  unique (audience, kind),
  constraint known_audience check (audience in ('client', 'driver')),
  constraint can_be_filled_in check (private.is_template(body))
);
create index message_templates_updated_by on public.message_templates (updated_by);
insert into public.message_templates (audience, kind, body, usual_body)
select t.audience, t.kind, t.body, t.body
  from (values
    ('client', 'booked', 'Hello {client_first_name}, your ride is booked: {date}, pickup {pickup_time}. {signature}'),
    ('client', 'changed', 'Hello {client_first_name}, your ride has changed. It is now {date}, pickup {pickup_time}. {signature}'),
    ('client', 'cancelled', 'Hello {client_first_name}, your ride on {date} at {pickup_time} is cancelled. {signature}'),
    ('client', 'reminder', 'Reminder: your ride is {date}, pickup {pickup_time}. {signature}'),
    ('driver', 'assigned', 'New trip: {date}, pickup {pickup_time}, {pickup_town}. Details are in your calendar. {signature}'),
    ('driver', 'changed', 'Trip changed: it is now {date}, pickup {pickup_time}, {pickup_town}. Details are in your calendar. {signature}'),
    ('driver', 'unassigned', 'The trip on {date}, pickup {pickup_time}, is no longer yours. {signature}'),
    ('driver', 'cancelled', 'Cancelled: the trip on {date}, pickup {pickup_time}, {pickup_town}. {signature}'),
    ('driver', 'reminder', 'Reminder: trip on {date}, pickup {pickup_time}, {pickup_town}. {signature}')) t (audience, kind, body);

create table public.messages (
  id             uuid primary key default gen_random_uuid(),
  appointment_id uuid not null references public.appointments on delete cascade,
  audience       text not null,
  recipient_id   uuid not null,                       -- the client or the driver
  kind           text not null,
  for_time       timestamptz not null,                -- the pickup it speaks of
  occasion       integer not null default 0,          -- the version of the trip it speaks of; 0 for reminders
  to_number      text,                                -- E.164; null: there is none, so it was refused
  body_hash      text not null,
  state          text not null default 'intended',
  provider_id    text,
  error          text,
  created_at     timestamptz not null default public.task_now(),
  updated_at     timestamptz not null default public.task_now(),
  unique (appointment_id, audience, recipient_id, kind, for_time, occasion),
  foreign key (audience, kind) references public.message_templates (audience, kind),
  constraint known_state check (state in ('intended', 'sent', 'unknown', 'refused')),
  constraint a_refusal_says_why check (state not in ('refused', 'unknown') or btrim(coalesce(error, '')) <> ''),
  constraint sent_somewhere check (to_number is not null or state = 'refused'),
  constraint reminders_have_one_occasion check (kind <> 'reminder' or occasion = 0)
);
create index messages_template on public.messages (audience, kind);
create index messages_unsettled on public.messages (created_at) where state <> 'sent';

create function private.sign_template() returns trigger
  language plpgsql set search_path = '' as $$
begin
  if (new.audience, new.kind, new.usual_body) is distinct from (old.audience, old.kind, old.usual_body) then
    raise exception 'only the words of a message can be changed' using errcode = 'BT409',
      detail = 'Programs know it by its kind.', hint = 'Change its text only.';
  end if;
  new.updated_by := case when private.is_person() then auth.uid() else coalesce(new.updated_by, auth.uid()) end;
  new.updated_at := public.task_now();
  return new;
end $$;
create trigger message_templates_sign before update on public.message_templates for each row execute function private.sign_template();


-- ── The words ───────────────────────────────────────────────────────────────────────────────────────────────────

-- "Tuesday 24 November": the office's day.
create function private.spoken_day(p_at timestamptz) returns text
  language sql stable set search_path = '' as $$ select to_char(p_at at time zone private.office_zone(), 'FMDay FMDD FMMonth') $$;
create function private.spoken_time(p_at timestamptz) returns text
  language sql stable set search_path = '' as $$ select to_char(p_at at time zone private.office_zone(), 'FMHH12:MI am') $$;

create function private.fill_in(p_body text, p_values jsonb) returns text
  language plpgsql immutable set search_path = '' as $$
declare
  filled text := '';
  part text[];
begin
  for part in select regexp_matches(p_body, '([^{]*)(?:\{([a-z_]+)\})?', 'g') loop   -- in one pass, so that a value with braces stays as it is
    filled := filled || coalesce(part[1], '') || coalesce(p_values ->> part[2], '');
  end loop;
  return btrim(regexp_replace(filled, '[[:blank:]]+', ' ', 'g'));
end $$;

-- What a message says about a trip as it is now. p_driver: whom a driver's message is for, where it is no longer the trip's own.
create function private.message_text(p_appointment uuid, p_audience text, p_kind text, p_driver uuid default null) returns text
  language sql stable set search_path = '' as $$
  select private.fill_in(t.body, jsonb_build_object(
           'client_first_name', c.firstname, 'driver_first_name', d.first_name,
           'date', private.spoken_day(a.pickuptime), 'pickup_time', private.spoken_time(a.pickuptime),
           'appointment_time', private.spoken_time(a.appointmenttime), 'pickup_town',
           coalesce(case when a.appointment_type = 'support' or a.trip_direction = 'to_home' then w.city else c.city end, 'see your calendar'),
           'business_name', s.said ->> 'business_name', 'support_phone', s.said ->> 'support_phone', 'signature', s.said ->> 'sms_signature'))
    from public.appointments a
    join public.message_templates t on t.audience = p_audience and t.kind = p_kind
    left join public.clients c on c.id = a.client_id
    left join public.destinations w on w.id = a.clinic_id
    left join public.drivers d on d.id = coalesce(p_driver, a.driver_assigned)
   cross join lateral (select jsonb_object_agg(o.key, o.value) as said from public.office_settings o
                        where o.key in ('business_name', 'support_phone', 'sms_signature')) s
   where a.id = p_appointment
$$;


-- ── Sending, at most once ───────────────────────────────────────────────────────────────────────────────────────

-- Writes a message down before it is sent. `may_send` is true for the one caller who is to send it now: it is new, or was
-- refused before. An intended or unknown one may have been sent: look into Quo first. Without a number it is refused at once.
create function private.intend_message(p_appointment uuid, p_audience text, p_recipient uuid, p_kind text, p_for_time timestamptz, p_occasion integer,
                                       p_to_number text, p_body_hash text)
  returns table (id uuid, state text, may_send boolean, to_number text, created_at timestamptz)
  language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  here public.messages;
begin
  insert into public.messages (appointment_id, audience, recipient_id, kind, for_time, occasion, to_number, body_hash, state, error)
       values (p_appointment, p_audience, p_recipient, p_kind, p_for_time, p_occasion, p_to_number, p_body_hash,
               case when p_to_number is null then 'refused' else 'intended' end, case when p_to_number is null then 'There is no telephone number.' end)
  on conflict (appointment_id, audience, recipient_id, kind, for_time, occasion) do nothing
  returning * into here;
  if found then
    return query select here.id, here.state, here.state = 'intended', here.to_number, here.created_at;
    return;
  end if;
  select m.* into here from public.messages m
   where (m.appointment_id, m.audience, m.recipient_id, m.kind, m.for_time, m.occasion)
       = (p_appointment, p_audience, p_recipient, p_kind, p_for_time, p_occasion) for update;
  if here.state = 'refused' and p_to_number is not null then
    update public.messages m
       set state = 'intended', to_number = p_to_number, body_hash = p_body_hash, provider_id = null, error = null,
           created_at = public.task_now(), updated_at = public.task_now()
     where m.id = here.id returning m.* into here;
    return query select here.id, here.state, true, here.to_number, here.created_at;
    return;
  end if;
  return query select here.id, here.state, false, here.to_number, here.created_at;
end $$;

-- What came of it. A message that is known to be sent stays sent.
create function private.settle_message(p_message uuid, p_state text, p_provider_id text default null, p_error text default null) returns text
  language plpgsql security definer set search_path = '' as $$
declare
  now_is text;
begin
  update public.messages m
     set state = p_state, provider_id = coalesce(p_provider_id, m.provider_id), error = case when p_state <> 'sent' then p_error end,
         updated_at = public.task_now()
   where m.id = p_message and m.state <> 'sent' and p_state <> 'intended' returning m.state into now_is;
  if not found then
    select m.state into now_is from public.messages m where m.id = p_message;
  end if;
  return now_is;
end $$;

-- When a reminder goes out: so many hours before the pickup, moved earlier, never later, into the hours in which the office
-- reminds; and if even that day begins too late, into the last half-hour of the evening before.
create function private.reminder_time(p_pickup timestamptz, p_hours integer, p_start time, p_end time) returns timestamptz
  language sql immutable set search_path = '' as $$
  select (case when t.at::time >= p_end then t.at::date + (p_end - interval '30 minutes')
               when t.at::time >= p_start then t.at
               when (t.at::date + p_start) at time zone private.office_zone() < p_pickup - interval '30 minutes' then t.at::date + p_start
               else t.at::date - 1 + (p_end - interval '30 minutes') end) at time zone private.office_zone()
    from (select (p_pickup - p_hours * interval '1 hour') at time zone private.office_zone() as at) t
$$;

-- Whom to remind now: the client and the driver of every assigned trip that is still ahead, whose reminder is due, and not yet
-- written down; a refused one again as soon as there is another number. Empty outside the office's hours for it.
create function private.reminders_due()
  returns table (appointment_id uuid, audience text, recipient_id uuid, for_time timestamptz, to_number text)
  language sql stable security definer set search_path = '' as $$
  with said as (
    select bool_or(s.value = 'true') filter (where s.key = 'reminders_on') as wanted,
           max((s.value #>> '{}')::integer) filter (where s.key = 'reminder_hours_before') as hours,
           max((s.value #>> '{}')::time) filter (where s.key = 'reminder_window_start') as first,
           max((s.value #>> '{}')::time) filter (where s.key = 'reminder_window_end') as last
      from public.office_settings s where s.key in ('reminders_on', 'reminder_hours_before', 'reminder_window_start', 'reminder_window_end'))
  select a.id, w.audience, w.recipient, a.pickuptime, w.number
    from said
    join public.appointments a on a.operation_status = 'assigned' and a.deleted_at is null
         and a.pickuptime > public.task_now() and a.pickuptime < public.task_now() + (said.hours + 48) * interval '1 hour'
         and private.reminder_time(a.pickuptime, said.hours, said.first, said.last) <= public.task_now()
    left join public.clients c on c.id = a.client_id
    join public.drivers d on d.id = a.driver_assigned
   cross join lateral (values ('client', c.id, c.phone), ('driver', d.id, coalesce(d.work_phone, d.phone))) w (audience, recipient, number)
   where said.wanted and w.recipient is not null
     and (public.task_now() at time zone private.office_zone())::time between said.first and said.last
     and not exists (select from public.messages m
                      where m.appointment_id = a.id and m.audience = w.audience and m.recipient_id = w.recipient and m.kind = 'reminder'
                        and m.for_time = a.pickuptime and (m.state <> 'refused' or m.to_number is not distinct from w.number))
   order by a.pickuptime, a.id, w.audience
$$;


-- ── Who may see and do what ─────────────────────────────────────────────────────────────────────────────────────

alter table public.message_templates enable row level security;
alter table public.messages enable row level security;

create policy staff_read_templates on public.message_templates for select to authenticated using ((select private.is_staff()));
create policy administrators_change_templates on public.message_templates for update to authenticated
  using ((select private.may('manage_system_config'))) with check ((select private.may('manage_system_config')));
create policy staff_read_messages on public.messages for select to authenticated using ((select private.is_staff()));

revoke all on public.message_templates, public.messages from anon, authenticated, service_role;
grant select, update on public.message_templates to authenticated, service_role;
grant select on public.messages to authenticated;
grant all on public.messages to service_role;

revoke execute on all functions in schema private from public;
grant execute on function private.placeholders(), private.is_template(text), private.spoken_day(timestamptz), private.spoken_time(timestamptz),
                          private.fill_in(text, jsonb), private.message_text(uuid, text, text, uuid) to authenticated, service_role;
grant execute on function private.intend_message(uuid, text, uuid, text, timestamptz, integer, text, text),
                          private.settle_message(uuid, text, text, text), private.reminder_time(timestamptz, integer, time, time),
                          private.reminders_due() to service_role;


-- ── Invoices: see sql/invoices_schema.sql ──

create table public.invoices (
  id                  uuid primary key default gen_random_uuid(),
  invoice_number      text not null unique,
  client_id           uuid not null references public.clients,
  knumber             text not null,                  -- as on the paper: who, and where to
  bill_to_name        text not null,
  bill_to_address     text not null,
  invoice_status      text not null default 'created',
  invoice_date        date not null,
  due_date            date not null,
  tax_rate            numeric(6, 5) not null,
  invoice_subtotal    numeric(10, 2) not null,
  invoice_tax         numeric(10, 2) not null,
  invoice_total       numeric(10, 2) not null generated always as (invoice_subtotal + invoice_tax) stored,
  notes               text,
  invoice_sent_at     timestamptz,
  payment_received_at timestamptz,
  voided_at           timestamptz,
  voided_by           uuid references public.users,
  created_by          uuid references public.users,
  invoice_created_at  timestamptz not null default public.task_now(),
  updated_at          timestamptz not null default public.task_now(),
  constraint known_status check (invoice_status in ('created', 'sent', 'paid', 'void')),
  constraint numbered     check (invoice_number ~ '^INV-[0-9]{4,}$'),
  constraint taxed        check (invoice_tax = round(invoice_subtotal * tax_rate, 2)),
  constraint paid_says_when check (invoice_status <> 'paid' or payment_received_at is not null),
  constraint sent_says_when check (invoice_status <> 'sent' or invoice_sent_at is not null),
  constraint void_says_when check ((invoice_status = 'void') = (voided_at is not null)),
  constraint due_afterwards check (due_date >= invoice_date)
);
create index invoices_client on public.invoices (client_id, invoice_date);
create index invoices_newest on public.invoices (invoice_created_at, id);
create index invoices_created_by on public.invoices (created_by);
create index invoices_voided_by on public.invoices (voided_by) where voided_by is not null;

create table public.invoice_lines (
  invoice_id     uuid not null references public.invoices on delete cascade,
  appointment_id uuid not null references public.appointments,
  place          integer not null,                    -- 1, 2, 3 … down the page
  served_on      date not null,
  description    text not null,
  rate           numeric(10, 2) not null,
  primary key (invoice_id, appointment_id),
  unique (invoice_id, place),
  constraint rate_is_sane check (rate between 0 and 10000)
);
create index invoice_lines_appointment on public.invoice_lines (appointment_id);
alter table public.appointments
  add constraint appointments_invoice_line foreign key (invoice_id, id) references public.invoice_lines (invoice_id, appointment_id);

-- The paper, as it was made: never made twice of the same invoice.
create table public.invoice_documents (
  invoice_id uuid primary key references public.invoices on delete cascade,
  content    bytea not null,
  media_type text not null default 'application/pdf',
  sha256     bytea not null generated always as (sha256(content)) stored,
  made_at    timestamptz not null default public.task_now()
);

create table private.invoice_counter (
  only_one boolean primary key default true,
  last     integer not null default 0,
  constraint only_one check (only_one)
);
insert into private.invoice_counter default values;


-- ── Trips on invoices ───────────────────────────────────────────────────────────────────────────────────────────

create function private.guard_invoicing() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  old_invoice uuid := case when tg_op = 'UPDATE' then old.invoice_id end;
  was text;
begin
  if old_invoice is not null then
    select i.invoice_status into was from public.invoices i where i.id = old_invoice;
    if was <> 'void' and (new.invoice_id is distinct from old_invoice or (new.operation_status, new.client_id, new.deleted_at, new.purged_at)
                          is distinct from (old.operation_status, old.client_id, old.deleted_at, old.purged_at)) then
      raise exception 'this trip is on an invoice' using errcode = 'BT409',
        detail = 'What was invoiced stays as it was.', hint = 'Void the invoice first.';
    end if;
  end if;
  if new.invoice_id is not null then
    new.invoice_status := (select i.invoice_status from public.invoices i where i.id = new.invoice_id);
  elsif old_invoice is not null then
    new.invoice_status := 'ready';
  elsif new.invoice_status = 'ready' and (tg_op = 'INSERT' or old.invoice_status <> 'ready') then
    if new.operation_status <> 'completed' or new.client_id is null or new.deleted_at is not null then
      raise exception 'only a client''s completed trip is ready for an invoice' using errcode = 'BT409',
        detail = 'This one is not.', hint = 'Complete it first.';
    end if;
  elsif new.invoice_status = 'ready' and (new.operation_status <> 'completed' or new.deleted_at is not null) then
    new.invoice_status := 'not_ready';
  elsif new.invoice_status not in ('not_ready', 'ready') then
    raise exception 'a trip is % by its invoice only', new.invoice_status using errcode = 'BT409',
      detail = 'This trip is on none.', hint = 'Create an invoice of it.';
  end if;
  return new;
end $$;
create trigger appointments_5_invoicing before insert or update on public.appointments for each row execute function private.guard_invoicing();

create function private.must_handle_invoices() returns void
  language plpgsql stable security definer set search_path = '' as $$
begin
  if private.is_person() and not private.may('view_costs') then
    raise exception 'only supervisors look after invoices' using errcode = 'BT403', detail = 'Your role does not include it.', hint = 'Ask a supervisor.';
  end if;
end $$;

-- An invoice of these trips, all of one client and all ready. A trip without a rate of its own costs the office's default.
create function private.create_invoice(p_appointments uuid[], p_invoice_date date default null, p_notes text default null, p_by uuid default null)
  returns public.invoices
  language plpgsql security definer set search_path = '' as $$
declare
  made public.invoices;
  trips uuid[];
  unready integer;
  clients integer;
  priceless integer;
  client public.clients;
  usual numeric;
  tax numeric;
  days integer;
  day date := coalesce(p_invoice_date, private.local_day(public.task_now()));
  number integer;
begin
  perform private.must_handle_invoices();
  select array_agg(a.id), count(*) filter (where a.invoice_status <> 'ready'), count(distinct a.client_id)
    into trips, unready, clients
    from (select x.* from public.appointments x where x.id = any (p_appointments) and x.deleted_at is null order by x.id for update) a;
  if trips is null or cardinality(trips) < (select count(distinct u) from unnest(p_appointments) u) then
    raise exception 'No appointments found' using errcode = 'BT404', detail = 'Some were removed, or none was chosen.', hint = 'Reload the list and choose again.';
  end if;
  if clients <> 1 then
    raise exception 'All appointments must be for same client' using errcode = 'BT409', hint = 'Make one invoice for each client.';
  end if;
  if unready > 0 then
    raise exception '% appointment(s) not in ready status', unready using errcode = 'BT409', hint = 'Mark them ready, or leave them out.';
  end if;
  select (max(s.value #>> '{}') filter (where s.key = 'default_rate'))::numeric, (max(s.value #>> '{}') filter (where s.key = 'tax_rate'))::numeric,
         (max(s.value #>> '{}') filter (where s.key = 'invoice_due_days'))::integer
    into usual, tax, days
    from public.office_settings s where s.key in ('default_rate', 'tax_rate', 'invoice_due_days');
  select count(*) into priceless
    from unnest(trips) t left join public.appointment_costs c on c.appointment_id = t where coalesce(c.custom_rate, usual) is null;
  if priceless > 0 then
    raise exception '% appointment(s) without a rate', priceless using errcode = 'BT409',
      detail = 'The office has no default rate.', hint = 'Enter a rate for each, or a default rate in the settings.';
  end if;
  select c.* into client from public.appointments a join public.clients c on c.id = a.client_id where a.id = trips[1];

  update private.invoice_counter set last = last + 1 returning last into number;
  insert into public.invoices (invoice_number, client_id, knumber, bill_to_name, bill_to_address, invoice_date, due_date, tax_rate,
                               invoice_subtotal, invoice_tax, notes, created_by)
  select 'INV-' || lpad(number::text, greatest(4, length(number::text)), '0'), client.id, client.knumber, client.full_name,
         concat_ws(E'\n', client.civicaddress, client.city || ', ' || client.prov || ' ' || client.postalcode),
         day, day + days, tax, t.subtotal, round(t.subtotal * tax, 2), nullif(btrim(p_notes), ''), private.acting_user(p_by)
    from (select sum(coalesce(c.custom_rate, usual)) as subtotal from unnest(trips) x left join public.appointment_costs c on c.appointment_id = x) t
  returning * into made;
  insert into public.invoice_lines (invoice_id, appointment_id, place, served_on, description, rate)
  select made.id, a.id, row_number() over (order by a.appointmenttime, a.id), private.local_day(a.appointmenttime),
         case a.appointment_type when 'round_trip' then 'Round trip' when 'one_way' then 'One-way trip' else 'Support' end
         || ', ' || private.spoken_time(a.appointmenttime) || coalesce(', ' || a.locationname, ''),
         coalesce(c.custom_rate, usual)
    from public.appointments a left join public.appointment_costs c on c.appointment_id = a.id where a.id = any (trips);
  update public.appointments a set invoice_id = made.id where a.id = any (trips);
  return made;
end $$;

-- created → sent → paid, or paid at once. p_at: when it really was sent or paid; now, unless told.
create function private.set_invoice_status(p_invoice uuid, p_status text, p_at timestamptz default null) returns public.invoices
  language plpgsql security definer set search_path = '' as $$
declare
  invoice public.invoices;
  at constant timestamptz := coalesce(p_at, public.task_now());
begin
  perform private.must_handle_invoices();
  select i.* into invoice from public.invoices i where i.id = p_invoice for update;
  if not found then
    raise exception 'invoice not found' using errcode = 'BT404', detail = 'Nothing has this id.', hint = 'Reload the list.';
  end if;
  if (invoice.invoice_status, p_status) not in (('created', 'sent'), ('created', 'paid'), ('sent', 'sent'), ('sent', 'paid')) then
    raise exception 'an invoice that is % cannot become %', invoice.invoice_status, coalesce(p_status, 'nothing') using errcode = 'BT409',
      detail = 'There is no such step.', hint = 'Reload the invoice.';
  end if;
  update public.invoices i
     set invoice_status = p_status, updated_at = public.task_now(),
         invoice_sent_at = case when p_status = 'sent' then at else i.invoice_sent_at end,
         payment_received_at = case when p_status = 'paid' then at else i.payment_received_at end
   where i.id = p_invoice returning i.* into invoice;
  update public.appointments a set invoice_status = p_status where a.invoice_id = p_invoice and a.invoice_status <> p_status;
  return invoice;
end $$;

create function private.void_invoice(p_invoice uuid, p_by uuid default null) returns public.invoices
  language plpgsql security definer set search_path = '' as $$
declare
  invoice public.invoices;
begin
  perform private.must_handle_invoices();
  select i.* into invoice from public.invoices i where i.id = p_invoice for update;
  if not found then
    raise exception 'invoice not found' using errcode = 'BT404', detail = 'Nothing has this id.', hint = 'Reload the list.';
  end if;
  if invoice.invoice_status in ('paid', 'void') then
    raise exception 'an invoice that is % cannot be voided', invoice.invoice_status using errcode = 'BT409',
      detail = case invoice.invoice_status when 'paid' then 'The money has come.' else 'It was voided before.' end, hint = 'Reload the invoice.';
  end if;
  update public.invoices i
     set invoice_status = 'void', voided_at = public.task_now(), voided_by = private.acting_user(p_by), updated_at = public.task_now()
   where i.id = p_invoice returning i.* into invoice;
  update public.appointments a set invoice_id = null where a.invoice_id = p_invoice;
  return invoice;
end $$;


-- ── Who may see and do what ─────────────────────────────────────────────────────────────────────────────────────

alter table public.invoices enable row level security;
alter table public.invoice_lines enable row level security;
alter table public.invoice_documents enable row level security;

create policy those_who_may_see_costs_read_invoices on public.invoices for select to authenticated using ((select private.may('view_costs')));
create policy those_who_may_see_costs_read_lines on public.invoice_lines for select to authenticated using ((select private.may('view_costs')));
create policy those_who_may_see_costs_read_documents on public.invoice_documents for select to authenticated using ((select private.may('view_costs')));

revoke all on public.invoices, public.invoice_lines, public.invoice_documents from anon, authenticated, service_role;
grant select on public.invoices, public.invoice_lines, public.invoice_documents to authenticated, service_role;
grant insert on public.invoice_documents to service_role;

revoke execute on all functions in schema private from public;
grant execute on function private.create_invoice(uuid[], date, text, uuid), private.set_invoice_status(uuid, text, timestamptz),
                          private.void_invoice(uuid, uuid) to authenticated, service_role;

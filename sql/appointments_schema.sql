-- Appointments: the trips the office books, who drives them, what they cost, and what is known of them in drivers' calendars.
--
--                    driver given                 driven
--        ┌─────────┐ ────────────▶ ┌──────────┐ ─────────▶ ┌───────────┐
--  ────▶ │ pending │               │ assigned │            │ completed │ ──▶ ready, invoiced (invoices_schema.sql)
--        └─────────┘ ◀──────────── └──────────┘ ◀───────── └───────────┘
--          │  ▲ ▲    driver taken off   │  ▲     reopened
--  archive │  │ └───────────────────┐   │  │
--          ▼  │ restore    reactivate│  ▼  │ the same driver again
--     (deleted_at)                ┌───────────┐
--                                 │ cancelled │  with a reason; the driver stays, who is told
--                                 └───────────┘
--
-- The status follows the driver: a trip without one is pending, and every other has one. A trip with a driver is cancelled, one
-- without is archived; an administrator may delete for good, which hides a trip but keeps the row for whoever asks later, and
-- for the task that takes it out of the calendar. `private.status_moves` lists the moves and the permission each takes.
--
-- Times. `appointmenttime` is when the client must be there, `transittime` the drive, `this_appointment_length` the stay, in
-- minutes. Pickup and drop-off are always worked out from them by a trigger, whoever writes:
--
--   round trip          pickup = appointment - transit      drop-off = appointment + length + transit
--   one way, to clinic  pickup = appointment - transit      drop-off = appointment
--   one way, home       pickup = appointment                drop-off = appointment + transit
--   support             pickup = appointment                drop-off = appointment + length
--
-- A driver is in one place at a time. `private.driver_conflicts` says what a stretch of time clashes with. Overlapping trips and
-- time off are refused by a trigger that holds the driver's row while it looks, so that two supervisors who assign at the same
-- moment are judged one after the other. Hours outside the driver's week are a warning only. Time off that is entered later
-- leaves trips as they are; the board shows the clash until somebody resolves it.
--
-- The same guards hold for the pages, n8n and psql. People are moreover held to their role (private.guard_appointment_rights):
-- agents book, edit, cancel and archive; who drives, how long the drive takes, who manages the trip, whether a cancelled one is
-- on again, and its price are the supervisors'; whether it was driven says an administrator. Drivers and clients see their own
-- trips only, and of each other only what they need: `public.my_trips`. Costs are a table of their own, because row-level security
-- cannot hide a column.
--
-- Locks. A change locks its trip, then the driver who is to have it. Whoever gives several trips in one transaction takes the
-- drivers in the order of their ids.
--
-- Needs dispatch_schema.sql.

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
create index appointments_to_remind_of on public.appointments (pickuptime) where operation_status = 'assigned' and deleted_at is null;
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
       ('assigned', 'completed', 'set_trip_status'), ('completed', 'assigned', 'set_trip_status'),
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

-- The same of every trip of a day that is not over, with every driver. A pair that is not here is free. As the owner, so that
-- staff are asked once who they are, and not once for each of some hundred pairs.
create function private.board_conflicts(p_day date)
  returns table (appointment_id uuid, driver_id uuid, kind text, hard boolean, id uuid, during tstzrange, label text)
  language sql stable security definer set search_path = '' as $$
  select a.id, d.id, c.kind, c.hard, c.id, c.during, c.label
    from public.appointments a
   cross join public.drivers d
   cross join lateral private.assignment_conflicts(a.id, d.id) c
   where (not private.is_person() or private.may('view_appointments'))
     and a.deleted_at is null and a.operation_status in ('pending', 'assigned') and d.active
     and a.appointmenttime >= lower(private.local_days(p_day, p_day)) and a.appointmenttime < upper(private.local_days(p_day, p_day))
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
  if needed is null or private.may(needed) then
    needed := case when made then case new.operation_status when 'completed' then 'set_trip_status' end
                   when new.operation_status <> old.operation_status
                   then (select m.permission from private.status_moves m where m.before = old.operation_status and m.after = new.operation_status) end;
    what := 'change the status';
  end if;
  if needed is not null and not private.may(needed) then
    raise exception 'you may not %', what using errcode = 'BT403', detail = 'Your role does not include it.',
      hint = case needed when 'set_trip_status' then 'Ask an administrator.' else 'Ask a supervisor.' end;
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
      using errcode = 'BT409', detail = clashes || '.', hint = 'Choose another driver or another time.', column = 'driver_assigned';
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


-- ── What open pages hear ────────────────────────────────────────────────────────────────────────────────────────

-- Tells open pages that a trip was made, changed or removed: ids and the office's days, as they were and as they are; never names
-- or words. An archived trip is no driver's and no client's. One of a row at most, and the tasks of a save are announced in the
-- same commit, so that a save waits for no lock that it would not have taken anyway.
create function private.announce_trip() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  perform pg_notify('trips', json_build_object(
    'id', coalesce(new.id, old.id),
    'days', array_remove(array[
      private.local_day(old.pickuptime), private.local_day(old.appointmenttime), private.local_day(old.drop_off_time),
      private.local_day(new.pickuptime), private.local_day(new.appointmenttime), private.local_day(new.drop_off_time)], null),
    'drivers', array_remove(array[case when old.deleted_at is null then old.driver_assigned end,
                                  case when new.deleted_at is null then new.driver_assigned end], null),
    'clients', array_remove(array[case when old.deleted_at is null then old.client_id end,
                                  case when new.deleted_at is null then new.client_id end], null))::text);
  return null;
end $$;
create trigger appointments_announce after insert or delete on public.appointments for each row execute function private.announce_trip();
create trigger appointments_announce_change after update on public.appointments for each row when (old.version <> new.version)
  execute function private.announce_trip();

-- Whether a trip is among the caller's own, as public.my_trips has them.
create function private.is_my_trip(p_trip uuid) returns boolean
  language sql stable security definer set search_path = '' as $$
  select exists (select from public.appointments a where a.id = p_trip and a.deleted_at is null
                    and (a.driver_assigned = private.my_driver() or a.client_id = private.my_client()))
$$;

-- What the caller is to hear of trips that were announced: those they may see now, and by id alone those that are gone from what
-- they could see. In the caller's own rights, and of no other trip a word. The days are for whoever sees the office's.
create function private.trips_to_hear_of(p_announced jsonb) returns table (id uuid, days jsonb, gone boolean)
  language sql stable set search_path = '' as $$
  select t.id, case when me.looks then t.days end, not s.seen
    from (select private.may('view_appointments') as looks, private.my_driver() as driver, private.my_client() as client) me
   cross join jsonb_to_recordset(p_announced) t(id uuid, days jsonb, drivers uuid[], clients uuid[])
   cross join lateral (select exists (select from public.appointments a where a.id = t.id and a.purged_at is null) or private.is_my_trip(t.id) as seen) s
   where s.seen or me.looks or me.driver = any(t.drivers) or me.client = any(t.clients)
   order by t.id
$$;


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
                          private.driver_conflicts(uuid, tstzrange, uuid), private.assignment_conflicts(uuid, uuid), private.board_conflicts(date),
                          private.no_such_appointment(), private.cancel_appointment(uuid, text, uuid), private.archive_appointment(uuid, uuid),
                          private.unarchive_appointment(uuid), private.delete_appointment(uuid, uuid), private.my_trips(timestamptz, timestamptz),
                          private.is_my_trip(uuid), private.trips_to_hear_of(jsonb)
                          to authenticated, service_role;

alter publication supabase_realtime add table public.appointments;

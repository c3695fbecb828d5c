-- name: by_id
select * from public.trips where id = %(id)s and purged_at is null

-- name: for_task
-- also what was deleted for good: its calendar event is still to be removed, and people to be told
select * from public.trips where id = %(id)s

-- name: lock
select id from public.appointments where id = %(id)s and purged_at is null for update

-- name: by_ids
select t.* from public.trips t join unnest(%(ids)s::uuid[]) with ordinality w(id, place) using (id) order by w.place

-- name: look_up
-- what the rows of a form speak of, in their order: whether it is there
select r.place, r.knumber, c.id as client_id, c.status as client_status,
       r.clinic_id is null or exists (select from public.destinations d where d.id = r.clinic_id) as clinic_known,
       r.driver_assigned is null or exists (select from public.drivers d where d.id = r.driver_assigned) as driver_known,
       r.preferred_driver is null or exists (select from public.drivers d where d.id = r.preferred_driver) as preferred_known,
       r.managed_by is null or exists (select from private.colleagues() u where u.id = r.managed_by) as manager_known
  from jsonb_to_recordset(%(rows)s) r (place integer, knumber text, clinic_id uuid, driver_assigned uuid, preferred_driver uuid, managed_by uuid)
  left join public.clients c on c.knumber = r.knumber
 order by r.place

-- name: insert
-- what is not said of a trip is as usual: the client's length, the known drive to that clinic
insert into public.appointments (id, client_id, appointment_type, trip_direction, event_name, appointmenttime, transittime, this_appointment_length,
                                 clinic_id, locationname, locationaddress, pickup_address, notes, scheduling_notes, driver_instructions,
                                 driver_assigned, preferred_driver, managed_by)
select r.id, r.client_id, r.appointment_type, r.trip_direction, r.event_name, r.appointmenttime,
       coalesce(r.transittime, private.known_transit(r.client_id, r.clinic_id), 30), coalesce(r.this_appointment_length, c.appointment_length, 120),
       r.clinic_id, r.locationname, r.locationaddress, r.pickup_address, r.notes, r.scheduling_notes, r.driver_instructions,
       r.driver_assigned, r.preferred_driver, r.managed_by
  from jsonb_to_recordset(%(rows)s) r (place integer, id uuid, client_id uuid, appointment_type text, trip_direction text, event_name text,
                                       appointmenttime timestamptz, transittime integer, this_appointment_length integer, clinic_id uuid,
                                       locationname text, locationaddress text, pickup_address text, notes text, scheduling_notes text,
                                       driver_instructions text, driver_assigned uuid, preferred_driver uuid, managed_by uuid)
  left join public.clients c on c.id = r.client_id
 order by r.driver_assigned, r.place

-- name: update
-- only the columns that `changes` names become another; each from the row as it is at that moment
update public.appointments a
   set (client_id, appointment_type, trip_direction, event_name, appointmenttime, transittime, this_appointment_length, clinic_id, locationname,
        locationaddress, pickup_address, notes, scheduling_notes, driver_instructions, operation_status, driver_assigned, preferred_driver,
        managed_by, cancellation_reason, invoice_status)
     = (select n.client_id, n.appointment_type, n.trip_direction, n.event_name, n.appointmenttime, n.transittime, n.this_appointment_length, n.clinic_id,
               n.locationname, n.locationaddress, n.pickup_address, n.notes, n.scheduling_notes, n.driver_instructions, n.operation_status,
               n.driver_assigned, n.preferred_driver, n.managed_by, n.cancellation_reason, n.invoice_status
          from jsonb_populate_record(a, %(changes)s) n)
 where a.id = %(id)s and a.purged_at is null

-- name: put_rates
insert into public.appointment_costs (appointment_id, custom_rate)
select r.id, r.custom_rate from jsonb_to_recordset(%(rows)s) r (id uuid, custom_rate numeric)
on conflict (appointment_id) do update set custom_rate = excluded.custom_rate

-- name: clashes
-- of rows that are not saved yet, with drivers of their own
select r.place, c.kind, c.label, lower(c.during) as starts, upper(c.during) as ends
  from jsonb_to_recordset(%(rows)s) r (place integer, appointment_type text, trip_direction text, appointmenttime timestamptz, transittime integer,
                                       this_appointment_length integer, driver_assigned uuid, client_id uuid, clinic_id uuid)
  left join public.clients k on k.id = r.client_id
 cross join lateral private.driver_conflicts(r.driver_assigned, private.trip_times(
   r.appointment_type, r.trip_direction, r.appointmenttime, coalesce(r.transittime, private.known_transit(r.client_id, r.clinic_id), 30),
   coalesce(r.this_appointment_length, k.appointment_length, 120))) c
 where r.driver_assigned is not null and c.hard
 order by r.place, c.during

-- name: conflicts
select kind, hard, id, lower(during) as starts, upper(during) as ends, label
  from private.driver_conflicts(%(driver)s, tstzrange(%(starts)s, %(ends)s), %(but)s) order by hard desc, during, label

-- name: assignment_conflicts
select kind, hard, id, lower(during) as starts, upper(during) as ends, label
  from private.assignment_conflicts(%(id)s, %(driver)s) order by hard desc, during, label

-- name: cancel
select (private.cancel_appointment(%(id)s, %(reason)s)).id

-- name: archive
select (private.archive_appointment(%(id)s)).id

-- name: unarchive
select (private.unarchive_appointment(%(id)s)).id

-- name: delete
select (private.delete_appointment(%(id)s)).id

-- name: place
select appointmenttime as after_time, id as after_id from public.appointments where id = %(id)s

-- name: page
-- keyed by (appointment time, id); the order is written out, so that an index can serve it
select t.* from public.trips t
 where t.purged_at is null and (t.deleted_at is not null) = %(archived)s
   and (%(starts)s::timestamptz is null or t.appointmenttime >= %(starts)s) and (%(ends)s::timestamptz is null or t.appointmenttime < %(ends)s)
   and (%(status)s::text[] is null or t.operation_status = any (%(status)s))
   and (%(invoice_status)s::text is null or t.invoice_status = %(invoice_status)s)
   and (%(driver)s::uuid is null or t.driver_assigned = %(driver)s)
   and (%(clinic)s::uuid is null or t.clinic_id = %(clinic)s)
   and (%(client)s::uuid is null or t.client_id = %(client)s)
   and (%(managed_by)s::uuid is null or t.managed_by = %(managed_by)s)
   and (%(q)s::text is null or t.client_name ilike %(q)s or t.knumber ilike %(q)s or t.locationname ilike %(q)s or t.driver_name ilike %(q)s or t.event_name ilike %(q)s
        or t.client_phone like %(digits)s)
   and (%(after_id)s::uuid is null or (t.appointmenttime, t.id) > (%(after_time)s::timestamptz, %(after_id)s::uuid))
 order by t.appointmenttime, t.id
 limit %(limit)s

-- name: page_from_the_latest
select t.* from public.trips t
 where t.purged_at is null and (t.deleted_at is not null) = %(archived)s
   and (%(starts)s::timestamptz is null or t.appointmenttime >= %(starts)s) and (%(ends)s::timestamptz is null or t.appointmenttime < %(ends)s)
   and (%(status)s::text[] is null or t.operation_status = any (%(status)s))
   and (%(invoice_status)s::text is null or t.invoice_status = %(invoice_status)s)
   and (%(driver)s::uuid is null or t.driver_assigned = %(driver)s)
   and (%(clinic)s::uuid is null or t.clinic_id = %(clinic)s)
   and (%(client)s::uuid is null or t.client_id = %(client)s)
   and (%(managed_by)s::uuid is null or t.managed_by = %(managed_by)s)
   and (%(q)s::text is null or t.client_name ilike %(q)s or t.knumber ilike %(q)s or t.locationname ilike %(q)s or t.driver_name ilike %(q)s or t.event_name ilike %(q)s
        or t.client_phone like %(digits)s)
   and (%(after_id)s::uuid is null or (t.appointmenttime, t.id) < (%(after_time)s::timestamptz, %(after_id)s::uuid))
 order by t.appointmenttime desc, t.id desc
 limit %(limit)s

-- name: count
-- from the tables: joins that no condition needs are then left out
select count(*) as count
  from public.appointments t
  left join public.clients c on c.id = t.client_id
  left join public.drivers d on d.id = t.driver_assigned
 where t.purged_at is null and (t.deleted_at is not null) = %(archived)s
   and (%(starts)s::timestamptz is null or t.appointmenttime >= %(starts)s) and (%(ends)s::timestamptz is null or t.appointmenttime < %(ends)s)
   and (%(status)s::text[] is null or t.operation_status = any (%(status)s))
   and (%(invoice_status)s::text is null or t.invoice_status = %(invoice_status)s)
   and (%(driver)s::uuid is null or t.driver_assigned = %(driver)s)
   and (%(clinic)s::uuid is null or t.clinic_id = %(clinic)s)
   and (%(client)s::uuid is null or t.client_id = %(client)s)
   and (%(managed_by)s::uuid is null or t.managed_by = %(managed_by)s)
   and (%(q)s::text is null or c.full_name ilike %(q)s or c.knumber ilike %(q)s or t.locationname ilike %(q)s or d.name ilike %(q)s or t.event_name ilike %(q)s
        or c.phone like %(digits)s)

-- name: between
-- for calendars: every trip that touches those days, but for the archived
select t.* from public.trips t
 where t.deleted_at is null and t.pickuptime < upper(private.local_days(%(first)s, %(last)s))
   and t.pickuptime > lower(private.local_days(%(first)s, %(last)s)) - interval '2 days' and t.drop_off_time > lower(private.local_days(%(first)s, %(last)s))
   and (%(driver)s::uuid is null or t.driver_assigned = %(driver)s)
 order by t.pickuptime, t.id

-- name: mine
select id, appointment_type, trip_direction, event_name, appointmenttime, pickuptime, drop_off_time, operation_status, locationname, locationaddress,
       pickup_address, driver_instructions, client_name, client_phone, driver_first_name
  from private.my_trips(lower(private.local_days(%(first)s, %(last)s)), upper(private.local_days(%(first)s, %(last)s)))
 order by pickuptime, id

-- name: colleagues
-- who may manage a trip
select id, full_name, role from private.colleagues() order by lower(full_name), id

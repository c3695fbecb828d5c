-- name: around
-- who had to do with a trip, and what its card shows besides
select x.full_name as created_by_name, y.full_name as cancelled_by_name, z.full_name as deleted_by_name, p.name as preferred_driver_name,
       i.invoice_number
  from public.appointments a
  left join private.colleagues() x on x.id = a.created_by
  left join private.colleagues() y on y.id = a.cancelled_by
  left join private.colleagues() z on z.id = a.deleted_by
  left join public.drivers p on p.id = a.preferred_driver
  left join public.invoices i on i.id = a.invoice_id
 where a.id = %(id)s

-- name: messages
-- what was to be texted about a trip, to whom, and what came of it
select m.id, m.audience, m.recipient_id, m.kind, m.for_time, m.to_number, m.state, m.error, m.created_at, m.updated_at,
       coalesce(c.full_name, d.name) as recipient_name
  from public.messages m
  left join public.clients c on m.audience = 'client' and c.id = m.recipient_id
  left join public.drivers d on m.audience = 'driver' and d.id = m.recipient_id
 where m.appointment_id = %(id)s order by m.created_at, m.audience, m.id

-- name: calendars
-- where it is, or ought not to be any more. The calendar's own address is nobody's business here
select e.driver_id, d.name as driver_name, e.event_id is not null as there, e.synced_at, e.error
  from public.appointment_events e join public.drivers d on d.id = e.driver_id
 where e.appointment_id = %(id)s and (e.event_id is not null or e.error is not null) order by d.name, d.id

-- name: changes
select a.action, a.user_name, a.role, a.created_at, a.details -> 'fields_updated' as fields
  from public.audit_logs a
 where a.entity_type = 'appointment' and a.entity_id = %(id)s and a.success and a.action not like 'view%%'
 order by a.created_at desc, a.id limit 50

-- name: last_change
-- who made the trip what it is now; none where the house did. As the house, since not everybody reads the audit log
select a.user_id = auth.uid() as mine, a.user_name, a.created_at
  from public.audit_logs a join public.appointments t on t.id = a.entity_id
 where a.entity_type = 'appointment' and a.entity_id = %(id)s and a.success and a.action not like 'view%%' and a.created_at = t.updated_at
 order by a.id limit 1

-- name: drive
-- how long a client takes to a clinic, as far as it is known: from the first address, else from the second
select t.duration_minutes as minutes, t.place, t.calculated_at,
       exists (select from public.clinic_times_wanted w where w.client_id = c.id and w.destination_id = %(clinic)s) as pending,
       c.appointment_length as length
  from public.clients c
  left join lateral (select * from public.client_clinic_times x
                      where x.client_id = c.id and x.destination_id = %(clinic)s and x.duration_minutes is not null order by x.place limit 1) t on true
 where c.id = %(client)s

-- name: times
select w.place::integer - 1 as place, w.at as appointmenttime, lower(t.during) as pickuptime, upper(t.during) as drop_off_time
  from unnest(%(at)s::timestamptz[]) with ordinality w (at, place)
 cross join lateral (select private.trip_times(%(type)s, %(direction)s, w.at, %(transit)s, %(length)s) as during) t
 order by w.place

-- name: objections
-- what speaks against each active driver at these times; a driver who is not named is free. The client's wishes once, whatever the time
select w.place::integer - 1 as place, d.id as driver_id, c.kind, c.hard, lower(c.during) as starts, upper(c.during) as ends, c.label
  from unnest(%(at)s::timestamptz[]) with ordinality w (at, place)
 cross join public.drivers d
 cross join lateral private.driver_conflicts(d.id, private.trip_times(%(type)s, %(direction)s, w.at, %(transit)s, %(length)s), %(but)s) c
 where d.active
union all
select null, d.id, 'gender', false, null, null, 'the client asks for a ' || k.driver_gender_requirement || ' driver'
  from public.clients k join public.drivers d on d.active and d.gender is distinct from k.driver_gender_requirement
 where k.id = %(client)s and k.driver_gender_requirement is not null
union all
select null, d.id, 'preferred', false, null, null, 'the client prefers ' || w.name
  from public.clients k join public.drivers w on w.id = k.preferred_driver join public.drivers d on d.active and d.id <> w.id
 where k.id = %(client)s
 order by 1 nulls last, 2, 4 desc, 5

-- name: to_hear_of
-- what a person hears of trips that were announced as changed
select id, gone, days from private.trips_to_hear_of(%(announced)s)

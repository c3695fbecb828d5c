-- name: of_appointment
select appointment_id, calendar_id, driver_id, generation, event_id, synced_hash, synced_at, error
  from public.appointment_events where appointment_id = %(appointment)s order by calendar_id

-- name: open
-- the place of a trip in a calendar; whoever asks first makes it
insert into public.appointment_events (appointment_id, calendar_id, driver_id) values (%(appointment)s, %(calendar)s, %(driver)s)
on conflict (appointment_id, calendar_id) do update set driver_id = excluded.driver_id
returning appointment_id, calendar_id, driver_id, generation, event_id, synced_hash, synced_at, error

-- name: intend
-- before the event is written: from now on it may be there. Only the generation that was read
update public.appointment_events set event_id = %(event_id)s
 where appointment_id = %(appointment)s and calendar_id = %(calendar)s and generation = %(generation)s

-- name: wrote
update public.appointment_events set synced_hash = %(hash)s, synced_at = public.task_now(), error = null
 where appointment_id = %(appointment)s and calendar_id = %(calendar)s and generation = %(generation)s and event_id is not null

-- name: spent
-- gone from the calendar, by us or by somebody: its id is used up, so the next one is of the next generation
update public.appointment_events set generation = generation + 1, event_id = null, synced_hash = null, synced_at = null, error = null
 where appointment_id = %(appointment)s and calendar_id = %(calendar)s and generation = %(generation)s

-- name: failed
update public.appointment_events set error = %(error)s where appointment_id = %(appointment)s and calendar_id = %(calendar)s

-- name: of_driver
-- what is still to be moved when a driver gets another calendar
select e.appointment_id, e.calendar_id, e.driver_id, e.generation, e.event_id, e.synced_hash, e.synced_at, e.error
  from public.appointment_events e join public.appointments a on a.id = e.appointment_id
 where e.driver_id = %(driver)s and e.event_id is not null and a.drop_off_time > public.task_now()
 order by a.pickuptime, e.appointment_id

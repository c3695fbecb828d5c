-- name: board_drivers
-- everybody who drives that day or could: their hours and absence, and what they have that day and that week
select d.id, d.name, d.first_name, d.last_name, d.active, d.phone, d.gender, d.workload_percentage, d.workload_preference, d.google_calendar_id is not null as has_calendar,
       lower(h.hours) as starts, upper(h.hours) as ends,
       coalesce(o.entries, '[]') as time_off, w.trips_today, w.minutes_today, w.trips_this_week, w.minutes_this_week
  from public.drivers d
 cross join lateral (select private.hours_on(d.weekly_hours, %(day)s) as hours) h
  left join lateral (
    select jsonb_agg(jsonb_build_object('id', t.id, 'entry_type', t.entry_type, 'starts', lower(t.during), 'ends', upper(t.during), 'all_day', t.all_day,
                                        'reason', t.reason) order by t.during) as entries
      from public.driver_time_off t where t.driver_id = d.id and t.end_date >= %(day)s and t.start_date <= %(day)s) o on true
  left join lateral (
    select count(*) filter (where private.local_day(a.appointmenttime) = %(day)s) as trips_today,
           coalesce(sum(extract(epoch from a.drop_off_time - a.pickuptime) / 60) filter (where private.local_day(a.appointmenttime) = %(day)s), 0)::integer as minutes_today,
           count(*) as trips_this_week,
           coalesce(sum(extract(epoch from a.drop_off_time - a.pickuptime) / 60), 0)::integer as minutes_this_week
      from public.appointments a
     where a.driver_assigned = d.id and a.operation_status in ('assigned', 'completed') and a.deleted_at is null
       and a.pickuptime >= lower(private.local_days(%(monday)s, %(sunday)s)) and a.pickuptime < upper(private.local_days(%(monday)s, %(sunday)s))) w on true
 where d.active or w.trips_this_week > 0
 order by d.name, d.id

-- name: board_times
-- from every driver's home to every client who is driven that day
select x.client_id, x.driver_id, x.duration_minutes, x.distance_km::double precision as distance_km, x.error, x.calculated_at
  from public.client_drive_times x
 where x.client_id in (select a.client_id from public.appointments a
                        where a.deleted_at is null and a.operation_status in ('pending', 'assigned')
                          and a.appointmenttime >= lower(private.local_days(%(day)s, %(day)s)) and a.appointmenttime < upper(private.local_days(%(day)s, %(day)s)))

-- name: board_conflicts
select appointment_id, driver_id, kind, hard, id, lower(during) as starts, upper(during) as ends, label
  from private.board_conflicts(%(day)s) order by appointment_id, driver_id, hard desc, during, label

-- name: week_load
-- one row for each driver and day: the hours they keep, and what they drive. Minutes are those between pickup and drop-off
select d.id as driver_id, d.name, d.workload_percentage, day.day::date as day, lower(h.hours) as starts, upper(h.hours) as ends,
       coalesce((extract(epoch from upper(h.hours) - lower(h.hours)) / 60)::integer, 0) as minutes_kept, w.trips, w.minutes_driven,
       exists (select from public.driver_time_off t where t.driver_id = d.id and t.entry_type = 'time_off' and t.during && private.local_days(day.day::date, day.day::date)) as time_off
  from public.drivers d
 cross join generate_series(%(monday)s::date, %(monday)s::date + 6, interval '1 day') day
 cross join lateral (select private.hours_on(d.weekly_hours, day.day::date) as hours) h
  left join lateral (
    select count(*) as trips, coalesce(sum(extract(epoch from a.drop_off_time - a.pickuptime) / 60), 0)::integer as minutes_driven
      from public.appointments a
     where a.driver_assigned = d.id and a.operation_status in ('assigned', 'completed') and a.deleted_at is null
       and a.pickuptime >= lower(private.local_days(day.day::date, day.day::date)) and a.pickuptime < upper(private.local_days(day.day::date, day.day::date))) w on true
 where (d.active or w.trips > 0) and (%(driver)s::uuid is null or d.id = %(driver)s)
 order by d.name, d.id, day.day

-- name: dashboard
-- the day in numbers; unassigned also in the days after
with said as (select private.local_days(%(day)s, %(day)s) as today, upper(private.local_days(%(day)s, %(day)s)) as tomorrow)
select count(*) filter (where t.during) as trips,
       count(*) filter (where t.during and a.operation_status = 'pending') as unassigned,
       count(*) filter (where t.during and a.operation_status = 'assigned') as assigned,
       count(*) filter (where t.during and a.operation_status = 'completed') as completed,
       count(*) filter (where t.during and a.operation_status = 'cancelled') as cancelled,
       count(*) filter (where not t.during and a.operation_status = 'pending') as unassigned_next_7_days,
       count(*) filter (where not t.during and a.operation_status in ('pending', 'assigned')) as trips_next_7_days,
       count(distinct a.driver_assigned) filter (where t.during and a.operation_status in ('assigned', 'completed')) as drivers,
       (select count(*) from public.appointments r where r.invoice_status = 'ready') as ready_for_invoice,
       (select count(*) from public.appointments r where r.operation_status = 'assigned' and r.deleted_at is null and r.drop_off_time < public.task_now()
                                                     and r.drop_off_time > public.task_now() - interval '30 days') as not_closed,
       (select count(*) from public.messages m where m.kind = 'reminder' and m.state = 'sent'
          and m.updated_at >= lower(s.today) and m.updated_at < upper(s.today)) as reminders_sent,
       (select count(*) from public.messages m where m.state in ('refused', 'unknown') and m.created_at > lower(s.today) - interval '7 days') as messages_to_look_at
  from said s
  left join public.appointments a on a.deleted_at is null and a.appointmenttime >= lower(s.today) and a.appointmenttime < s.tomorrow + interval '7 days'
 cross join lateral (select a.appointmenttime < s.tomorrow as during) t
 group by s.today

-- name: reader
-- what whoever asks may see, and what day it is
select private.may('view_costs') as costs, public.task_now() as now

-- name: clients_to_choose
select c.id, c.knumber, c.firstname, c.lastname, c.full_name, c.phone, c.status, c.active, c.appointment_length, c.driver_gender_requirement,
       c.preferred_driver, c.primary_clinic_id
  from public.clients c where c.status <> 'archived' order by lower(c.lastname), lower(c.firstname), c.id

-- name: drivers_to_choose
select d.id, d.first_name, d.last_name, d.name, d.active, d.gender, d.google_calendar_id is not null as has_calendar
  from public.drivers d order by d.name, d.id

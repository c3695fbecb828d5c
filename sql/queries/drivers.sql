-- name: with_homes
select id, name, home_address, home_city, home_province, home_postal_code, home_latitude, home_longitude
  from public.drivers where active and btrim(coalesce(home_address, '')) <> ''
 order by name, id

-- name: put_home
-- only while the address is still the one that was asked about
update public.drivers set home_latitude = %(latitude)s, home_longitude = %(longitude)s, home_precision = %(precision)s
 where id = %(id)s and home_address = %(line)s and coalesce(home_city, '') = %(city)s
   and coalesce(home_province, '') = %(province)s and coalesce(home_postal_code, '') = %(postal_code)s

-- name: put
insert into public.drivers (first_name, last_name, email, phone, gender, home_address, home_city, home_province, home_postal_code, home_latitude, home_longitude)
values (%(first_name)s, %(last_name)s, lower(%(email)s), %(phone)s, %(gender)s, %(home_address)s, %(home_city)s, %(home_province)s, %(home_postal_code)s,
        %(home_latitude)s, %(home_longitude)s)
on conflict (lower(email)) do nothing

-- name: by_id
select id, first_name, last_name, name, email, phone, work_phone, gender, active, home_address, home_city, home_province, home_postal_code,
       home_latitude, home_longitude, home_precision, workload_percentage, workload_preference, preferred_calendar_type, google_calendar_id,
       weekly_hours, vehicle_description, notes, created_at, updated_at, version
  from public.drivers where id = %(id)s

-- name: lock
select id from public.drivers where id = %(id)s for update

-- name: insert
insert into public.drivers (first_name, last_name, email, phone, work_phone, gender, active, home_address, home_city, home_province, home_postal_code,
                            workload_percentage, preferred_calendar_type, weekly_hours, vehicle_description, notes)
values (%(first_name)s, %(last_name)s, %(email)s, %(phone)s, %(work_phone)s, %(gender)s, %(active)s, %(home_address)s, %(home_city)s, %(home_province)s,
        %(home_postal_code)s, %(workload_percentage)s, %(preferred_calendar_type)s, coalesce(%(weekly_hours)s, private.usual_week()),
        %(vehicle_description)s, %(notes)s)
on conflict (lower(email)) do nothing
returning id

-- name: holder_of_email
select id, name, active from public.drivers where lower(email) = lower(%(email)s)

-- name: update
update public.drivers a
   set (first_name, last_name, email, phone, work_phone, gender, active, home_address, home_city, home_province, home_postal_code,
        workload_percentage, preferred_calendar_type, weekly_hours, vehicle_description, notes)
     = (select n.first_name, n.last_name, n.email, n.phone, n.work_phone, n.gender, n.active, n.home_address, n.home_city, n.home_province,
               n.home_postal_code, n.workload_percentage, n.preferred_calendar_type, coalesce(n.weekly_hours, private.usual_week()),
               n.vehicle_description, n.notes
          from jsonb_populate_record(a, %(changes)s) n)
 where a.id = %(id)s

-- name: put_calendar
-- the calendar that has been made for a driver; whoever has changed to another kind meanwhile keeps none at Google
update public.drivers set google_calendar_id = %(calendar_id)s
 where id = %(id)s and google_calendar_id is distinct from %(calendar_id)s
   and (%(calendar_id)s::text is null or preferred_calendar_type = 'google')

-- name: to_drive
select t.* from public.trips t
 where t.driver_assigned = %(driver)s and t.operation_status = 'assigned' and t.deleted_at is null and t.drop_off_time > public.task_now()
 order by t.pickuptime, t.id

-- name: all
-- with how they stand now: on leave, busy on a trip, available within their hours, or offline
select d.id, d.first_name, d.last_name, d.name, d.email, d.phone, d.work_phone, d.gender, d.active, d.workload_preference, d.workload_percentage,
       d.preferred_calendar_type, d.google_calendar_id is not null as google_calendar_connected, d.weekly_hours, d.vehicle_description, d.notes,
       d.home_address, d.home_city, d.home_province, d.home_postal_code, d.home_precision as home_found, d.created_at, d.updated_at, d.version,
       case when not d.active then 'offline'
            when exists (select from public.driver_time_off t where t.driver_id = d.id and t.entry_type = 'time_off' and t.during @> public.task_now()) then 'on-leave'
            when exists (select from public.appointments a where a.driver_assigned = d.id and a.operation_status = 'assigned' and a.deleted_at is null
                                                             and a.pickuptime <= public.task_now() and a.drop_off_time > public.task_now()
                                                             and a.pickuptime > public.task_now() - interval '2 days') then 'busy'
            when private.hours_on(d.weekly_hours, private.local_day(public.task_now())) @> public.task_now()
                 or exists (select from public.driver_time_off t
                             where t.driver_id = d.id and t.entry_type = 'override_available' and t.during @> public.task_now()) then 'available'
            else 'offline' end as status,
       coalesce(o.entries, '[]') as time_off
  from public.drivers d
  left join lateral (
    select jsonb_agg(jsonb_build_object('id', t.id, 'entry_type', t.entry_type, 'start_date', t.start_date, 'end_date', t.end_date, 'all_day', t.all_day,
                                        'start_time', to_char(t.start_time, 'HH24:MI'), 'end_time', to_char(t.end_time, 'HH24:MI'), 'reason', t.reason)
                     order by t.during) as entries
      from public.driver_time_off t where t.driver_id = d.id and t.end_date >= private.local_day(public.task_now())) o on true
 where (%(q)s::text is null or d.name ilike %(q)s or d.email ilike %(q)s or d.home_city ilike %(q)s or d.phone like %(digits)s)
   and (%(active)s::boolean is null or d.active = %(active)s)
   and (%(id)s::uuid is null or d.id = %(id)s)
 order by d.name, d.id

-- name: add_time_off
insert into public.driver_time_off (driver_id, entry_type, start_date, end_date, all_day, start_time, end_time, reason)
values (%(driver_id)s, %(entry_type)s, %(start_date)s, %(end_date)s, %(all_day)s, %(start_time)s, %(end_time)s, %(reason)s)
returning id

-- name: change_time_off
update public.driver_time_off a
   set (entry_type, start_date, end_date, all_day, start_time, end_time, reason)
     = (select n.entry_type, n.start_date, n.end_date, n.all_day, n.start_time, n.end_time, n.reason from jsonb_populate_record(a, %(changes)s) n)
 where a.id = %(id)s

-- name: lock_time_off
-- for those who may change it
select id from public.driver_schedule_exceptions where id = %(id)s for update

-- name: one_time_off
select id, driver_id, entry_type, start_date, end_date, all_day, start_time, end_time, reason, lower(during) as starts, upper(during) as ends
  from public.driver_time_off where id = %(id)s

-- name: remove_time_off
delete from public.driver_time_off where id = %(id)s returning driver_id

-- name: trips_during
-- trips that a driver has in a stretch of time off, still to be driven
select t.* from public.trips t
 where t.driver_assigned = %(driver)s and t.operation_status = 'assigned' and t.deleted_at is null
   and t.pickuptime < %(ends)s and t.drop_off_time > %(starts)s and t.drop_off_time > public.task_now()
 order by t.pickuptime, t.id

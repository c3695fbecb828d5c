-- name: insert
insert into public.clients (knumber, firstname, lastname, phone, email, civicaddress, city, prov, postalcode, mapaddress,
                            secondary_civic_address, secondary_city, secondary_province, secondary_postal_code, secondary_address_notes,
                            emergency_contact_name, emergency_contact_number, notes, appointment_length, primary_clinic_id, active, status,
                            driver_gender_requirement, preferred_driver)
values (%(knumber)s, %(firstname)s, %(lastname)s, %(phone)s, %(email)s, %(civicaddress)s, %(city)s, %(prov)s, %(postalcode)s, %(mapaddress)s,
        %(secondary_civic_address)s, %(secondary_city)s, %(secondary_province)s, %(secondary_postal_code)s, %(secondary_address_notes)s,
        %(emergency_contact_name)s, %(emergency_contact_number)s, %(notes)s, %(appointment_length)s, %(primary_clinic_id)s, %(active)s,
        case when %(active)s then 'active' else 'inactive' end, %(driver_gender_requirement)s, %(preferred_driver)s)
on conflict (knumber) do nothing
returning id

-- name: holder_of_knumber
select full_name, status from public.clients where knumber = %(knumber)s

-- name: look_up
-- whether what a form names is there
select %(clinic)s::uuid is null or exists (select from public.destinations d where d.id = %(clinic)s) as clinic,
       %(driver)s::uuid is null or exists (select from public.drivers d where d.id = %(driver)s) as driver,
       not exists (select from unnest(%(clinics)s::uuid[]) n (id) where not exists (select from public.destinations d where d.id = n.id)) as clinics

-- name: lock
select id from public.clients where id = %(id)s::uuid or knumber = %(knumber)s for update

-- name: update
-- only the columns that `changes` names become another
update public.clients c
   set (firstname, lastname, phone, email, civicaddress, city, prov, postalcode, mapaddress, secondary_civic_address, secondary_city,
        secondary_province, secondary_postal_code, secondary_address_notes, emergency_contact_name, emergency_contact_number, notes,
        appointment_length, primary_clinic_id, active, status, driver_gender_requirement, preferred_driver, profile_status)
     = (select n.firstname, n.lastname, n.phone, n.email, n.civicaddress, n.city, n.prov, n.postalcode, n.mapaddress, n.secondary_civic_address,
               n.secondary_city, n.secondary_province, n.secondary_postal_code, n.secondary_address_notes, n.emergency_contact_name,
               n.emergency_contact_number, n.notes, n.appointment_length, n.primary_clinic_id, n.active, n.status,
               n.driver_gender_requirement, n.preferred_driver, n.profile_status
          from jsonb_populate_record(c, %(changes)s) n)
 where c.id = %(id)s

-- name: place
select lower(lastname) as after_last, lower(firstname) as after_first, id as after_id from public.clients where id = %(id)s

-- name: by_id
select id, knumber, firstname, lastname, full_name, phone, email, civicaddress, city, prov, postalcode, mapaddress, secondary_civic_address,
       secondary_city, secondary_province, secondary_postal_code, secondary_address_notes, emergency_contact_name, emergency_contact_number, notes,
       appointment_length, primary_clinic_id, active, status, driver_gender_requirement, preferred_driver, profile_status,
       home_latitude, home_longitude, home_precision, secondary_latitude, secondary_longitude, openphone_contact_id, version
  from public.clients where id = %(id)s

-- name: put_home
-- only while the address is still the one that was asked about
update public.clients
   set home_latitude = %(latitude)s, home_longitude = %(longitude)s, home_precision = %(precision)s
 where id = %(id)s and (civicaddress, city, prov, postalcode) = (%(line)s, %(city)s, %(province)s, %(postal_code)s)

-- name: put_second_home
update public.clients
   set secondary_latitude = %(latitude)s, secondary_longitude = %(longitude)s, secondary_precision = %(precision)s
 where id = %(id)s
   and (secondary_civic_address, secondary_city, secondary_province, secondary_postal_code) = (%(line)s, %(city)s, %(province)s, %(postal_code)s)

-- name: put_quo_contact
update public.clients set openphone_contact_id = %(contact_id)s, openphone_sync_date = public.task_now() where id = %(id)s

-- name: put_drive_times
insert into public.client_drive_times (client_id, driver_id, duration_minutes, distance_km, error, source, calculated_at)
select %(client_id)s, l.driver_id, l.minutes, round(l.metres / 1000.0, 2), l.error, %(source)s, public.task_now()
  from jsonb_to_recordset(%(legs)s) as l(driver_id uuid, minutes integer, metres numeric, error text)
  join public.drivers d on d.id = l.driver_id
on conflict (client_id, driver_id) do update
   set duration_minutes = excluded.duration_minutes, distance_km = excluded.distance_km, error = excluded.error,
       source = excluded.source, calculated_at = excluded.calculated_at

-- name: page
-- newest task of each type per client, and the drive times in a nutshell; keyed by (last name, first name, id)
with page as (
  select c.* from public.clients c
   where (%(status)s::text is null or c.status = %(status)s)
     and (%(q)s::text is null or c.full_name ilike %(q)s or c.knumber ilike %(q)s or c.phone like %(digits)s or c.city ilike %(q)s or c.email ilike %(q)s)
     and (%(after_id)s::uuid is null or (lower(c.lastname), lower(c.firstname), c.id) > (%(after_last)s, %(after_first)s, %(after_id)s::uuid))
   order by lower(c.lastname), lower(c.firstname), c.id
   limit %(limit)s)
select p.id, p.knumber, p.firstname, p.lastname, p.phone, p.email, p.civicaddress, p.city, p.prov, p.postalcode, p.active, p.status,
       p.appointment_length, p.notes, p.home_precision as home_found, p.openphone_contact_id, p.created_at,
       jsonb_build_object('count', coalesce(d.answers, 0), 'nearest_minutes', d.nearest, 'calculated_at', d.calculated_at) as drive_times,
       coalesce(t.tasks, '[]') as tasks
  from page p
  left join lateral (
    select count(x.duration_minutes) as answers, min(x.duration_minutes) as nearest, max(x.calculated_at) as calculated_at
      from public.client_drive_times x where x.client_id = p.id) d on true
  left join lateral (
    select jsonb_agg(to_jsonb(n) order by n.task_type) as tasks from (
      select distinct on (b.task_type) b.id, b.task_type, b.status, b.error_message, b.error_hint, b.error_code, b.attempt, b.max_attempts,
             b.run_after, b.created_at, b.completed_at, b.dismissed_at, b.superseded_by, b.created_by
        from public.background_tasks b where b.entity_type = 'client' and b.entity_id = p.id
       order by b.task_type, b.created_at desc) n) t on true
 order by lower(p.lastname), lower(p.firstname), p.id

-- name: count
select count(*) as count, count(*) filter (where active) as active from public.clients c
 where (%(status)s::text is null or c.status = %(status)s)
   and (%(q)s::text is null or c.full_name ilike %(q)s or c.knumber ilike %(q)s or c.phone like %(digits)s or c.city ilike %(q)s or c.email ilike %(q)s)

-- name: whole
select c.id, c.knumber, c.firstname, c.lastname, c.phone, c.email, c.civicaddress, c.city, c.prov, c.postalcode, c.mapaddress,
       c.secondary_civic_address, c.secondary_city, c.secondary_province, c.secondary_postal_code, c.secondary_address_notes,
       c.emergency_contact_name, c.emergency_contact_number, c.notes, c.appointment_length, c.primary_clinic_id, c.active, c.status,
       c.home_latitude, c.home_longitude, c.home_precision as home_found, c.openphone_contact_id, c.openphone_sync_date, c.created_at, c.updated_at,
       c.driver_gender_requirement, c.preferred_driver, c.profile_status, c.version, p.name as primary_clinic_name, d.name as preferred_driver_name,
       (select t.clinic_travel_times from public.clinic_travel_times t where t.client_id = c.id) as clinic_travel_times,
       (select jsonb_build_object('count', count(x.duration_minutes), 'nearest_minutes', min(x.duration_minutes), 'calculated_at', max(x.calculated_at))
          from public.client_drive_times x where x.client_id = c.id) as drive_times
  from public.clients c
  left join public.destinations p on p.id = c.primary_clinic_id
  left join public.drivers d on d.id = c.preferred_driver
 where c.id = %(id)s::uuid or c.knumber = %(knumber)s

-- name: drive_times
select x.driver_id, d.name as driver_name, x.duration_minutes, x.distance_km::double precision as distance_km, x.error, x.source, x.calculated_at
  from public.client_drive_times x join public.drivers d on d.id = x.driver_id
 where x.client_id = %(id)s
 order by x.duration_minutes nulls last, d.name

-- name: trips
-- those to come, soonest first, then those that were, latest first
select t.id, t.appointmenttime, t.pickuptime, t.drop_off_time, t.appointment_type, t.trip_direction, t.event_name, t.locationname, t.clinic_id,
       t.operation_status, t.driver_assigned, t.driver_name, t.cancellation_reason
  from public.trips t
 where t.client_id = %(id)s and t.deleted_at is null
 order by t.appointmenttime < public.task_now(),
          case when t.appointmenttime >= public.task_now() then t.appointmenttime end, t.appointmenttime desc, t.id
 limit 50

-- name: changes
select a.action, a.user_name, a.role, a.created_at, a.details -> 'fields_updated' as fields
  from public.audit_logs a
 where a.entity_type = 'client' and a.entity_id = %(id)s and a.success and a.action not like 'view%%'
 order by a.created_at desc, a.id limit 50

-- name: for_old_pages
select c.id, c.knumber, c.firstname, c.lastname, c.phone, c.email, c.civicaddress, c.city, c.prov, c.postalcode, c.mapaddress, c.active, c.status,
       c.secondary_civic_address, c.secondary_city, c.secondary_province, c.secondary_postal_code, c.secondary_address_notes,
       c.emergency_contact_name, c.emergency_contact_number, c.appointment_length, c.notes, c.driver_gender_requirement, c.preferred_driver,
       c.primary_clinic_id, c.openphone_contact_id, c.profile_status, coalesce(t.clinic_travel_times, '{}') as clinic_travel_times
  from public.clients c left join public.clinic_travel_times t on t.client_id = c.id
 where not %(active_only)s or c.status = 'active'
 order by lower(c.lastname), lower(c.firstname), c.id

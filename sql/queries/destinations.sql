-- name: put
insert into public.destinations (name, address, city, province, postal_code, phone, latitude, longitude)
values (%(name)s, %(address)s, %(city)s, %(province)s, %(postal_code)s, %(phone)s, %(latitude)s, %(longitude)s)
on conflict (lower(name)) do nothing

-- name: by_id
select id, name, address, city, province, postal_code, phone, email, contacts, notes, active, latitude, longitude, precision, created_at, updated_at, version
  from public.destinations where id = %(id)s

-- name: lock
select id from public.destinations where id = %(id)s for update

-- name: insert
insert into public.destinations (name, address, city, province, postal_code, phone, email, contacts, notes, active)
values (%(name)s, %(address)s, %(city)s, %(province)s, %(postal_code)s, %(phone)s, %(email)s, %(contacts)s, %(notes)s, %(active)s)
on conflict (lower(name)) do nothing
returning id

-- name: holder_of_name
select id, name, active from public.destinations where lower(name) = lower(%(name)s)

-- name: update
update public.destinations a
   set (name, address, city, province, postal_code, phone, email, contacts, notes, active)
     = (select n.name, n.address, n.city, n.province, n.postal_code, n.phone, n.email, coalesce(n.contacts, '[]'), n.notes, n.active
          from jsonb_populate_record(a, %(changes)s) n)
 where a.id = %(id)s

-- name: put_place
-- only while the address is still the one that was asked about
update public.destinations set latitude = %(latitude)s, longitude = %(longitude)s, precision = %(precision)s
 where id = %(id)s and address = %(line)s and coalesce(city, '') = %(city)s and coalesce(province, '') = %(province)s
   and coalesce(postal_code, '') = %(postal_code)s

-- name: all
select d.id, d.name, d.address, d.city, d.province, d.postal_code, d.phone, d.email, d.contacts, d.notes, d.active, d.latitude, d.longitude,
       d.precision as found, d.created_at, d.updated_at, d.version,
       (select count(*) from public.appointments a where a.clinic_id = d.id and a.deleted_at is null and a.operation_status in ('pending', 'assigned')
                                                     and a.appointmenttime > public.task_now()) as trips_ahead,
       (select count(*) from public.client_clinic_times x where x.destination_id = d.id and x.place = 'primary' and x.error is null) as measured,
       (select to_jsonb(n) from (
          select b.id, b.task_type, b.status, b.error_message, b.error_hint, b.error_code, b.attempt, b.max_attempts, b.run_after, b.created_at,
                 b.completed_at, b.dismissed_at, b.superseded_by, b.created_by
            from public.background_tasks b where b.entity_type = 'destination' and b.entity_id = d.id order by b.created_at desc, b.id limit 1) n) as task
  from public.destinations d
 where (%(q)s::text is null or d.name ilike %(q)s or d.address ilike %(q)s or d.city ilike %(q)s or d.phone ilike %(q)s)
   and (%(active)s::boolean is null or d.active = %(active)s)
 order by lower(d.name), d.id

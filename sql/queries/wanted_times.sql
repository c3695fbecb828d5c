-- name: want
-- those that were chosen, or all active ones
insert into public.clinic_times_wanted (client_id, destination_id)
select %(client)s, d.id from public.destinations d
 where case when cardinality(%(clinics)s::uuid[]) = 0 then d.active else d.id = any(%(clinics)s::uuid[]) end
 order by d.id
on conflict (client_id, destination_id) do update set ask = gen_random_uuid()

-- name: want_of_unplaced
-- active clients whose address nobody has found yet: whatever finds it measures this one too
insert into public.clinic_times_wanted (client_id, destination_id)
select c.id, %(destination)s from public.clients c
 where c.status = 'active' and (c.home_latitude is null or (c.secondary_civic_address is not null and c.secondary_latitude is null))
 order by c.id
on conflict (client_id, destination_id) do update set ask = gen_random_uuid()

-- name: unmeasured
-- which of these clinics have no time from one of the client's addresses, and none is asked for
select n.id from unnest(%(clinics)s::uuid[]) n (id)
  join public.clients c on c.id = %(client)s
 where not exists (select from public.clinic_times_wanted w where w.client_id = c.id and w.destination_id = n.id)
   and (select count(*) from public.client_clinic_times t where t.client_id = c.id and t.destination_id = n.id)
       < case when c.secondary_civic_address is null then 1 else 2 end

-- name: measured
select distinct t.destination_id as id from public.client_clinic_times t join public.clients c on c.id = t.client_id
 where case when %(client)s::uuid is null then c.knumber = %(knumber)s else c.id = %(client)s end

-- name: asked
select destination_id as id, ask from public.clinic_times_wanted where client_id = %(client)s order by destination_id

-- name: settle
delete from public.clinic_times_wanted where client_id = %(client)s and ask = any(%(asks)s::uuid[])

-- name: starts
-- where active clients set out from
select c.id, case when %(home)s = 'primary' then c.home_latitude else c.secondary_latitude end as latitude,
       case when %(home)s = 'primary' then c.home_longitude else c.secondary_longitude end as longitude
  from public.clients c
 where c.status = 'active' and case when %(home)s = 'primary' then c.home_latitude else c.secondary_latitude end is not null
 order by c.id

-- name: pending
select w.destination_id as id, d.name from public.clinic_times_wanted w join public.destinations d on d.id = w.destination_id
 where w.client_id = %(client)s order by lower(d.name), d.id

-- name: put
insert into public.client_clinic_times (client_id, destination_id, place, duration_minutes, distance_km, error, source, calculated_at)
select l.client_id, l.destination_id, %(place)s, private.buffered_minutes(l.minutes), round(l.metres / 1000.0, 2), l.error, %(source)s, public.task_now()
  from jsonb_to_recordset(%(legs)s) as l(client_id uuid, destination_id uuid, minutes integer, metres numeric, error text)
  join public.destinations d on d.id = l.destination_id
  join public.clients c on c.id = l.client_id and (%(place)s = 'primary' or c.secondary_civic_address is not null)
 order by l.client_id, l.destination_id
on conflict (client_id, destination_id, place) do update
   set duration_minutes = excluded.duration_minutes, distance_km = excluded.distance_km, error = excluded.error,
       source = excluded.source, calculated_at = excluded.calculated_at

-- name: of_client
select x.destination_id, d.name as destination_name, x.place, x.duration_minutes, x.distance_km::double precision as distance_km, x.error, x.source, x.calculated_at
  from public.client_clinic_times x join public.destinations d on d.id = x.destination_id
 where x.client_id = %(client)s
 order by x.place, x.duration_minutes nulls last, lower(d.name)

-- name: wire
select clinic_travel_times from public.clinic_travel_times where client_id = %(client)s

-- name: destinations
-- those that were chosen, or all active ones
select id, name, address, city, province, postal_code, latitude, longitude
  from public.destinations where case when %(chosen)s::uuid[] is null then active else id = any (%(chosen)s) end
 order by lower(name), id

-- name: ends
select id, home_latitude, home_longitude from public.clients where active order by lower(lastname), lower(firstname), id

-- name: put
-- of those who still live where they were measured
insert into public.client_drive_times (client_id, driver_id, duration_minutes, distance_km, error, source, calculated_at)
select l.client_id, d.id, l.minutes, round(l.metres / 1000.0, 2), l.error, %(source)s, public.task_now()
  from jsonb_to_recordset(%(legs)s) as l(client_id uuid, latitude double precision, longitude double precision, minutes integer, metres numeric, error text)
  join public.drivers d on d.id = %(driver)s and (d.home_latitude, d.home_longitude) = (%(latitude)s, %(longitude)s)
  join public.clients c on c.id = l.client_id and (c.home_latitude, c.home_longitude) is not distinct from (l.latitude, l.longitude)
 order by l.client_id
on conflict (client_id, driver_id) do update
   set duration_minutes = excluded.duration_minutes, distance_km = excluded.distance_km, error = excluded.error,
       source = excluded.source, calculated_at = excluded.calculated_at

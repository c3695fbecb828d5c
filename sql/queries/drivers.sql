-- name: with_homes
select id, name, home_address, home_city, home_province, home_postal_code, home_latitude, home_longitude
  from public.drivers where active and btrim(coalesce(home_address, '')) <> ''
 order by name, id

-- name: put_home
update public.drivers set home_latitude = %(latitude)s, home_longitude = %(longitude)s
 where id = %(id)s and home_address = %(line)s and coalesce(home_city, '') = %(city)s

-- name: put
insert into public.drivers (first_name, last_name, email, phone, gender, home_address, home_city, home_province, home_postal_code, home_latitude, home_longitude)
values (%(first_name)s, %(last_name)s, lower(%(email)s), %(phone)s, %(gender)s, %(home_address)s, %(home_city)s, %(home_province)s, %(home_postal_code)s,
        %(home_latitude)s, %(home_longitude)s)
on conflict (lower(email)) do nothing

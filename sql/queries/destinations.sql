-- name: put
insert into public.destinations (name, address, city, province, postal_code, phone, latitude, longitude)
values (%(name)s, %(address)s, %(city)s, %(province)s, %(postal_code)s, %(phone)s, %(latitude)s, %(longitude)s)
on conflict (lower(name)) do nothing

-- name: all
select * from private.list_users()

-- name: bookers
select id, username, full_name, role from public.users
 where is_active and role in ('booking_agent', 'supervisor', 'admin') order by lower(full_name), id

-- name: find
select id, username, full_name, email, role, is_active, must_change_password, last_login is null as is_new
  from public.users where case when %(id)s::uuid is null then username = lower(btrim(%(username)s)) else id = %(id)s end

-- name: create
select private.create_user(%(username)s, %(full_name)s, %(username)s, %(phone)s, %(role)s, %(is_active)s) as id

-- name: change
select * from private.change_user(%(id)s, %(changes)s)

-- name: unlock
select private.unlock_user(%(id)s) as was_locked

-- name: sign_out
select private.sign_out(%(id)s) as ended

-- name: take_password
select private.take_password(%(id)s) as ended

-- name: give_temporary_password
select private.give_temporary_password(%(id)s, %(hash)s) as good_until

-- name: waits_for_password
select full_name, username, email from public.users where id = %(id)s and is_active and must_change_password

-- name: note
-- what the command line did, which acts for nobody
select private.write_audit(%(action)s, 'user', %(id)s, null, %(details)s, null, 'backhaul users')

-- name: set_own_password
select private.set_password(%(id)s, %(hash)s)

-- name: sign_out_everybody
select coalesce(sum(private.sign_out(u.id)), 0)::integer as ended from public.users u

-- name: link
select private.link_user(%(id)s, %(driver_id)s, %(client_id)s)

-- name: linked
-- whose trips an account sees
select u.driver_id, u.client_id, coalesce(d.name, c.full_name || ' (' || c.knumber || ')') as name
  from public.users u left join public.drivers d on d.id = u.driver_id left join public.clients c on c.id = u.client_id where u.id = %(id)s

-- name: linked_account
-- the other account that sees this driver's or client's trips
select u.full_name, u.username from public.users u
 where (u.driver_id = %(driver_id)s or u.client_id = %(client_id)s) and u.id is distinct from %(but)s

-- name: drivers_to_link
select d.id, d.name, concat_ws(', ', d.email, case when not d.active then 'not active' end) as detail, u.id as user_id, u.full_name as user_name
  from public.drivers d left join public.users u on u.driver_id = d.id
 where d.name ilike %(words)s or d.email ilike %(words)s order by d.active desc, lower(d.name), d.id limit %(limit)s

-- name: clients_to_link
select c.id, c.full_name as name, concat_ws(', ', c.knumber, c.city, case when c.status <> 'active' then c.status end) as detail,
       u.id as user_id, u.full_name as user_name
  from public.clients c left join public.users u on u.client_id = c.id
 where c.full_name ilike %(words)s or c.knumber ilike %(words)s
 order by c.status <> 'active', lower(c.lastname), lower(c.firstname), c.id limit %(limit)s

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

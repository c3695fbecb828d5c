-- name: save
select private.save_profile(%(changes)s) as changed

-- name: mine
select id, username, full_name, email, phone, role, last_login from public.users where id = private.my_id()

-- name: sessions
select s.id, s.created_at, s.last_activity_at, s.expires_at, s.user_agent, host(s.ip_address) as ip_address
  from private.open_sessions(private.my_id()) s

-- name: sign_out
select private.sign_out(private.my_id(), %(session)s) as ended

-- name: sign_out_others
select coalesce(sum(private.sign_out(private.my_id(), s.id)), 0)::integer as ended
  from private.open_sessions(private.my_id()) s where s.id <> %(here)s

-- name: askers
-- who may mean this name: it is somebody's to sign in with, or the address somebody's mail goes to
select u.id, u.full_name from public.users u where u.is_active and (u.username = lower(btrim(%(name)s)) or lower(u.email) = lower(btrim(%(name)s)))

-- name: reachable
select full_name, username, email from public.users where id = %(id)s and is_active

-- name: put_reset_link
select private.put_link('reset', %(user)s, %(token)s, '1 hour') as expires_at

-- name: put_setup_link
select private.put_link('setup', null, %(token)s, '24 hours') as expires_at where not private.has_admin()

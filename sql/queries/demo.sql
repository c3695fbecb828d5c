-- name: any_trips
-- whether there is anything from today on
select exists (select from public.appointments where appointmenttime >= lower(private.local_days(%(today)s, %(today)s))) as there

-- name: clients
select id, status from public.clients where status <> 'archived' order by knumber

-- name: drivers
select id from public.drivers where active order by name, id

-- name: clinics
select id from public.destinations where active order by name, id

-- name: agents
select id from public.users where role = 'booking_agent' and is_active order by username

-- name: drive
-- what is over was driven
update public.appointments set operation_status = 'completed', completed_at = drop_off_time
 where id = any (%(ids)s) and operation_status = 'assigned' and drop_off_time <= public.task_now()

-- name: cancel
update public.appointments set operation_status = 'cancelled', cancellation_reason = 'The client has another ride' where id = %(id)s and operation_status = 'assigned'

-- name: archive
select (private.archive_appointment(%(id)s)).id

-- name: price
insert into public.appointment_costs (appointment_id, custom_rate)
select a.id, 65 + 5 * (row_number() over (order by a.appointmenttime, a.id) %% 9) from public.appointments a where a.id = any (%(ids)s)
on conflict (appointment_id) do nothing

-- name: ready
update public.appointments set invoice_status = 'ready'
 where id = any (%(ids)s) and operation_status = 'completed' and invoice_status = 'not_ready'
returning id, client_id

-- name: invoice
select id from private.create_invoice(%(ids)s::uuid[])

-- name: paper
-- drawn in the background, as after every save
select public.create_background_task('invoice', %(id)s, i.invoice_number || ', ' || i.bill_to_name || ' (' || i.knumber || ')', 'generate_invoice_pdf',
                                     args => jsonb_build_object('invoice_id', i.id), once_key => 'generate_invoice_pdf:' || i.id) as id
  from public.invoices i where i.id = %(id)s

-- name: forget_a_rate
-- one of those that are ready: what it costs is still to be said
delete from public.appointment_costs where appointment_id = (
  select a.id from public.appointments a where a.id = any (%(ids)s) and a.invoice_status = 'ready' order by a.appointmenttime desc, a.id limit 1)

-- name: marked
select id from private.set_invoice_status(%(id)s, %(status)s)

-- name: void
select id from private.void_invoice(%(id)s)

-- name: away
insert into public.driver_time_off (driver_id, start_date, end_date, reason) values (%(driver)s, %(day)s, %(day)s, 'Holiday')

-- name: weekend
-- whoever drives on a day off has said so
insert into public.driver_time_off (driver_id, entry_type, start_date, end_date, reason)
select d.id, 'override_available', %(day)s, %(day)s, 'Weekend trips' from public.drivers d
 where d.id = any (%(drivers)s) and private.hours_on(d.weekly_hours, %(day)s) is null

-- name: link_driver
select private.link_user(u.id, d.id)
  from public.users u join public.drivers d on d.email = 'avery.roadly@demo.test'
 where u.username = 'driver@demo.test' and u.role = 'driver' and u.driver_id is null and not exists (select from public.users o where o.driver_id = d.id)

-- name: link_client
select private.link_user(u.id, null, c.id)
  from public.users u join public.clients c on c.knumber = 'K9000001'
 where u.username = 'client@demo.test' and u.role = 'client' and u.client_id is null and not exists (select from public.users o where o.client_id = c.id)

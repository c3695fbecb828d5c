-- name: create
select id from private.create_invoice(%(appointments)s::uuid[], %(invoice_date)s, %(notes)s)

-- name: mark
select id from private.set_invoice_status(%(id)s, %(status)s, %(at)s)

-- name: void
select id from private.void_invoice(%(id)s)

-- name: by_id
select id, invoice_number, client_id, knumber, bill_to_name, bill_to_address, invoice_status, invoice_date, due_date, tax_rate, invoice_subtotal,
       invoice_tax, invoice_total, notes, invoice_sent_at, payment_received_at, voided_at, invoice_created_at, created_by, mail_to
  from public.invoices where id = %(id)s

-- name: address
select private.address_invoice(%(id)s, %(to)s)

-- name: note_mailed
select private.note_invoice_mailed(%(id)s) as status

-- name: around
-- what its card says besides the paper: how the client is reached today, and who made and voided it
select c.email as client_email, case when i.invoice_status = 'void' then w.made_at else d.made_at end as document_made_at,
       case when i.invoice_status = 'void' then d.made_at end as original_made_at, m.full_name as created_by_name, v.full_name as voided_by_name,
       i.invoice_status in ('created', 'sent') and i.due_date < private.local_day(public.task_now()) as overdue
  from public.invoices i
  join public.clients c on c.id = i.client_id
  left join public.invoice_documents d on d.invoice_id = i.id
  left join public.invoice_void_documents w on w.invoice_id = i.id
  left join public.users m on m.id = i.created_by
  left join public.users v on v.id = i.voided_by
 where i.id = %(id)s

-- name: changes
select a.action, a.user_name, a.created_at, a.details
  from public.audit_logs a
 where a.entity_type = 'invoice' and a.entity_id = %(id)s and a.success and a.action not like 'view%%'
 order by a.created_at desc, a.id limit 50

-- name: lines
select appointment_id, place, served_on, description, rate from public.invoice_lines where invoice_id = %(id)s order by place

-- name: place
select invoice_created_at as after_time, invoice_number as after_number from public.invoices where id = %(id)s

-- name: page
-- newest first
select i.id, i.invoice_number, i.client_id, i.knumber, i.bill_to_name, i.invoice_status, i.invoice_date, i.due_date, i.invoice_subtotal, i.invoice_tax,
       i.invoice_total, i.invoice_sent_at, i.payment_received_at, i.voided_at, i.invoice_created_at,
       i.invoice_status in ('created', 'sent') and i.due_date < private.local_day(public.task_now()) as overdue,
       (select count(*) from public.invoice_lines l where l.invoice_id = i.id) as trips,
       case when i.invoice_status = 'void' then exists (select from public.invoice_void_documents w where w.invoice_id = i.id)
            else exists (select from public.invoice_documents d where d.invoice_id = i.id) end as has_document
  from public.invoices i
 where (%(statuses)s::text[] is null or i.invoice_status = any (%(statuses)s))
   and (not %(overdue)s or i.due_date < private.local_day(public.task_now()))
   and (%(client)s::uuid is null or i.client_id = %(client)s)
   and (%(q)s::text is null or i.invoice_number ilike %(q)s or i.bill_to_name ilike %(q)s or i.knumber ilike %(q)s)
   and (%(after_number)s::text is null or (i.invoice_created_at, i.invoice_number) < (%(after_time)s::timestamptz, %(after_number)s::text))
 order by i.invoice_created_at desc, i.invoice_number desc
 limit %(limit)s

-- name: count
select count(*) as count, coalesce(sum(i.invoice_total) filter (where i.invoice_status in ('created', 'sent')), 0) as open_total
  from public.invoices i
 where (%(statuses)s::text[] is null or i.invoice_status = any (%(statuses)s))
   and (not %(overdue)s or i.due_date < private.local_day(public.task_now()))
   and (%(client)s::uuid is null or i.client_id = %(client)s)
   and (%(q)s::text is null or i.invoice_number ilike %(q)s or i.bill_to_name ilike %(q)s or i.knumber ilike %(q)s)

-- name: client_place
select lower(lastname) as after_last, lower(firstname) as after_first, id as after_id from public.clients where id = %(id)s

-- name: ready
-- clients with trips that are ready for an invoice, and what those come to; a trip without a rate of its own costs the default.
-- follows: whether they come after the place that a page begins at
select c.id as client_id, c.knumber, c.full_name as client_name, c.email, count(*) as trips, array_agg(a.id order by a.appointmenttime, a.id) as appointment_ids,
       min(a.appointmenttime) as first, max(a.appointmenttime) as last, sum(coalesce(k.custom_rate, u.rate)) as subtotal,
       count(*) filter (where coalesce(k.custom_rate, u.rate) is null) as without_rate,
       %(after_id)s::uuid is null
         or (lower(c.lastname), lower(c.firstname), c.id) > (%(after_last)s::text, %(after_first)s::text, %(after_id)s::uuid) as follows
  from public.appointments a
  join public.clients c on c.id = a.client_id
  left join public.appointment_costs k on k.appointment_id = a.id
 cross join (select (value #>> '{}')::numeric as rate from public.office_settings where key = 'default_rate') u
 where a.invoice_status = 'ready' and a.deleted_at is null
   and (%(q)s::text is null or c.full_name ilike %(q)s or c.knumber ilike %(q)s)
 group by c.id
 order by lower(c.lastname), lower(c.firstname), c.id

-- name: trips
-- those that are to be marked, as they are now
select a.id, a.operation_status, a.invoice_status, coalesce(c.full_name || ' (' || c.knumber || ')', a.event_name, 'Trip') as label,
       k.driver_paid_at, k.booking_agent_paid_at
  from public.appointments a
  left join public.clients c on c.id = a.client_id
  left join public.appointment_costs k on k.appointment_id = a.id
 where a.id = any (%(ids)s) and a.deleted_at is null
 order by a.appointmenttime, a.id

-- name: trip_place
select appointmenttime as after_time, id as after_id from public.appointments where id = %(id)s

-- name: trips_page
-- completed trips, the oldest first: a client's, by how far they are invoiced; or anybody's for which somebody is still to be paid
select t.*, k.driver_paid_at, k.booking_agent_paid_at
  from public.trips t left join public.appointment_costs k on k.appointment_id = t.id
 where t.deleted_at is null and t.operation_status = 'completed'
   and case when %(unpaid)s then k.driver_paid_at is null or (t.managed_by is not null and k.booking_agent_paid_at is null)
            else t.client_id is not null and t.invoice_status = %(invoice_status)s end
   and (%(client)s::uuid is null or t.client_id = %(client)s)
   and (%(q)s::text is null or t.client_name ilike %(q)s or t.knumber ilike %(q)s or t.locationname ilike %(q)s or t.driver_name ilike %(q)s
        or t.managed_by_name ilike %(q)s or t.event_name ilike %(q)s)
   and (%(after_id)s::uuid is null or (t.appointmenttime, t.id) > (%(after_time)s::timestamptz, %(after_id)s::uuid))
 order by t.appointmenttime, t.id
 limit %(limit)s

-- name: trips_count
select count(*) as count
  from public.trips t left join public.appointment_costs k on k.appointment_id = t.id
 where t.deleted_at is null and t.operation_status = 'completed'
   and case when %(unpaid)s then k.driver_paid_at is null or (t.managed_by is not null and k.booking_agent_paid_at is null)
            else t.client_id is not null and t.invoice_status = %(invoice_status)s end
   and (%(client)s::uuid is null or t.client_id = %(client)s)
   and (%(q)s::text is null or t.client_name ilike %(q)s or t.knumber ilike %(q)s or t.locationname ilike %(q)s or t.driver_name ilike %(q)s
        or t.managed_by_name ilike %(q)s or t.event_name ilike %(q)s)

-- name: set_ready
update public.appointments set invoice_status = case when %(ready)s then 'ready' else 'not_ready' end
 where id = any (%(ids)s) and deleted_at is null and invoice_status = case when %(ready)s then 'not_ready' else 'ready' end
returning id

-- name: set_paid
-- those that differ. Without a day of its own, whoever is paid already stays paid when they were
insert into public.appointment_costs (appointment_id, driver_paid_at, booking_agent_paid_at)
select a.id, case when %(whom)s = 'driver' then %(at)s::timestamptz end, case when %(whom)s = 'agent' then %(at)s::timestamptz end
  from public.appointments a
  left join public.appointment_costs k on k.appointment_id = a.id
 cross join lateral (select case %(whom)s when 'driver' then k.driver_paid_at else k.booking_agent_paid_at end as at) was
 where a.id = any (%(ids)s) and a.operation_status = 'completed' and a.deleted_at is null
   and was.at is distinct from %(at)s::timestamptz and (%(corrects)s or was.at is null)
on conflict (appointment_id) do update
   set driver_paid_at = case when %(whom)s = 'driver' then excluded.driver_paid_at else appointment_costs.driver_paid_at end,
       booking_agent_paid_at = case when %(whom)s = 'agent' then excluded.booking_agent_paid_at else appointment_costs.booking_agent_paid_at end
returning appointment_id as id

-- name: put_document
-- once: a document that is there stays
insert into public.invoice_documents (invoice_id, content) values (%(id)s, %(content)s) on conflict (invoice_id) do nothing

-- name: document
select content from public.invoice_documents where invoice_id = %(id)s

-- name: put_void_document
-- once as well: nothing makes a void invoice another
insert into public.invoice_void_documents (invoice_id, content) values (%(id)s, %(content)s) on conflict (invoice_id) do nothing

-- name: void_document
select content from public.invoice_void_documents where invoice_id = %(id)s

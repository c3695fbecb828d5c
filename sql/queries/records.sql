-- name: labels
-- what people call the records with these ids, of whatever kind
select id, full_name || ' (' || knumber || ')' as label from public.clients where id = any(%(ids)s)
union all
select id, name from public.drivers where id = any(%(ids)s)
union all
select id, name from public.destinations where id = any(%(ids)s)
union all
select t.id, coalesce(c.full_name || ' (' || c.knumber || ')', t.event_name) || to_char(t.appointmenttime at time zone %(zone)s, ', FMDD Mon FMHH24:MI')
  from public.appointments t left join public.clients c on c.id = t.client_id where t.id = any(%(ids)s)
union all
select id, invoice_number from public.invoices where id = any(%(ids)s)
union all
select id, 'Office settings' from public.office_settings where id = any(%(ids)s)
union all
select id, initcap(kind) || ', to the ' || audience from public.message_templates where id = any(%(ids)s)

-- name: named
with people as (select id from public.clients where full_name ilike %(words)s or knumber ilike %(words)s)
select id from people
union all
select id from public.drivers where name ilike %(words)s
union all
select id from public.destinations where name ilike %(words)s
union all
select id from public.invoices where invoice_number ilike %(words)s
union all
select id from public.appointments where client_id in (select id from people) or event_name ilike %(words)s
limit 5000

-- name: of_client
select 'appointment' as type, id from public.appointments where client_id = %(id)s
union all
select 'invoice', id from public.invoices where client_id = %(id)s

-- name: text
select private.message_text(%(appointment)s, %(audience)s, %(kind)s, %(driver)s) as text

-- name: intend
select id, state, may_send, to_number, created_at
  from private.intend_message(%(appointment)s, %(audience)s, %(recipient)s, %(kind)s, %(for_time)s, %(occasion)s, %(to_number)s, %(body_hash)s)

-- name: settle
select private.settle_message(%(id)s, %(state)s, %(provider_id)s, %(error)s) as state

-- name: due
-- managed_by: whose booking it is, while they are here
select w.appointment_id, w.audience, w.recipient_id, w.for_time, w.to_number, u.id as managed_by,
       coalesce(t.client_name || ' (' || t.knumber || ')', t.event_name) || to_char(t.appointmenttime at time zone private.office_zone(), ', FMDD Mon FMHH24:MI') as label
  from (select * from private.reminders_due() limit %(limit)s) w
  join public.trips t on t.id = w.appointment_id
  left join public.users u on u.id = t.managed_by and u.is_active
 order by w.for_time, w.appointment_id, w.audience

-- name: of_appointment
select id, appointment_id, audience, recipient_id, kind, for_time, occasion, to_number, state, provider_id, error, created_at, updated_at
  from public.messages where appointment_id = %(appointment)s order by created_at, id

-- name: to_look_at
-- what was refused, or may have been sent, and is not over yet; with whom it is for, and the failure that a retry sends again, where
-- whoever asks may see it
select m.id, m.appointment_id, m.audience, m.recipient_id, coalesce(c.full_name, d.name) as recipient, m.kind, m.for_time, m.state, m.error, m.created_at,
       m.to_number, private.failure_of_message(m.id) as task_id, private.is_message_under_way(m.id) as under_way
  from public.messages m join public.appointments a on a.id = m.appointment_id
  left join public.clients c on m.audience = 'client' and c.id = m.recipient_id
  left join public.drivers d on m.audience = 'driver' and d.id = m.recipient_id
 where m.state in ('refused', 'unknown') and a.drop_off_time > public.task_now()
 order by m.created_at desc, m.id limit %(limit)s

-- name: dismiss_failure
-- the failure of a text that they have, if whoever asks may dismiss it
select d.* from public.messages m cross join lateral private.failure_of_message(m.id) f(id)
 cross join lateral public.dismiss_background_task(f.id) d
 where m.id = %(id)s and m.state = 'unknown' and f.id is not null

-- name: mark_sent
select id, appointment_id, audience, kind from private.mark_message_sent(%(id)s)

-- name: templates
select id, audience, kind, body, usual_body, updated_by, updated_at from public.message_templates order by audience, kind

-- name: template
select id, audience, kind, body, usual_body, updated_by, updated_at from public.message_templates where audience = %(audience)s and kind = %(kind)s

-- name: put_template
update public.message_templates set body = coalesce(%(body)s, usual_body) where audience = %(audience)s and kind = %(kind)s
returning id, audience, kind, body, usual_body, updated_by, updated_at

-- name: preview
-- with somebody who does not exist
select private.fill_in(%(body)s, jsonb_build_object('client_first_name', 'Jane', 'driver_first_name', 'Sam', 'date', 'Tuesday 1 December', 'pickup_time', '9:30 am',
                                                    'appointment_time', '10:00 am', 'pickup_town', 'Truro') || s.said) as text
  from (select jsonb_object_agg(case o.key when 'sms_signature' then 'signature' else o.key end, o.value) as said
          from public.office_settings o where o.key in ('business_name', 'support_phone', 'sms_signature')) s

-- name: notices
select coalesce((select o.value = 'true' from public.office_settings o where o.key = 'notices_on'), false) as wanted, public.task_now() as now

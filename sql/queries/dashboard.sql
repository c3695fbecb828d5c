-- name: reminders_on
select coalesce((select o.value = 'true' from public.office_settings o where o.key = 'reminders_on'), false) as wanted

-- name: next_reminders
-- those to be sent soonest, with whom each is for, and how many there are in all
select r.appointment_id, r.audience, coalesce(c.full_name, d.name) as recipient, r.to_number is not null as has_number, r.for_time, r.goes_at,
       count(*) over () as waiting
  from private.reminders_ahead() r
  left join public.clients c on r.audience = 'client' and c.id = r.recipient_id
  left join public.drivers d on r.audience = 'driver' and d.id = r.recipient_id
 order by r.goes_at, r.for_time, r.appointment_id, r.audience
 limit %(limit)s

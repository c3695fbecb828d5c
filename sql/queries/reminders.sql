-- name: make
-- by key, so that two who make the same tasks never wait for one another crosswise
select private.create_task('appointment', t.entity_id, t.entity_label, t.task_type, t.created_by, null, t.args, t.once_key, t.max_attempts, t.lane, null) as id
  from (select * from jsonb_to_recordset(%(tasks)s) r (entity_id uuid, entity_label text, task_type text, created_by uuid, args jsonb, once_key text,
                                                       max_attempts integer, lane text) order by r.once_key) t

-- name: turn
-- how a reminder stands now. opens: when the office next reminds, if it does not now; number: theirs, as it is today
with said as (
  select bool_or(s.value = 'true') filter (where s.key = 'reminders_on') as wanted,
         max((s.value #>> '{}')::time) filter (where s.key = 'reminder_window_start') as first,
         max((s.value #>> '{}')::time) filter (where s.key = 'reminder_window_end') as last,
         public.task_now() at time zone private.office_zone() as wall
    from public.office_settings s where s.key in ('reminders_on', 'reminder_window_start', 'reminder_window_end'))
select s.wanted, t.operation_status = 'assigned' and t.deleted_at is null as stands, t.pickuptime = %(for_time)s as same_time,
       coalesce(%(recipient)s = case when %(audience)s::text = 'driver' then t.driver_assigned when t.appointment_type <> 'support' then t.client_id end,
                false) as theirs,
       t.pickuptime > public.task_now() as ahead,
       case %(audience)s::text when 'client' then t.client_phone else t.driver_phone end as number,
       case when s.wall::time not between s.first and s.last
            then (s.wall::date + (s.wall::time > s.last)::integer + s.first) at time zone private.office_zone() end as opens
  from said s, public.trips t where t.id = %(appointment)s

-- name: forget
-- what was written down and never begun to be sent, so that it is due anew if it comes to that again
delete from public.messages m
 where m.appointment_id = %(appointment)s and m.audience = %(audience)s and m.recipient_id = %(recipient)s and m.kind = 'reminder'
   and m.for_time = %(for_time)s and m.state = 'intended'
   and not exists (select from public.background_task_steps s where s.task_id = %(task)s and s.label like %(sending)s)

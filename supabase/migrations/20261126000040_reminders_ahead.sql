-- Which reminders are still to be sent, so that the dashboard can say what goes out next; those that are due are picked from them.

-- Reminders still to be sent, of the trips whose pickup is less than the office's hours for it, and two days, ahead. goes_at: when,
-- if texts may go then. Of an event that is supported, the driver's alone. Nobody's where they are off. As whoever asks: staff get
-- theirs by the rules of the tables.
create function private.reminders_ahead()
  returns table (appointment_id uuid, audience text, recipient_id uuid, for_time timestamptz, to_number text, goes_at timestamptz)
  language sql stable set search_path = '' as $$
  with said as (
    select bool_or(s.value = 'true') filter (where s.key = 'reminders_on') as wanted,
           max((s.value #>> '{}')::integer) filter (where s.key = 'reminder_hours_before') as hours,
           max((s.value #>> '{}')::time) filter (where s.key = 'reminder_window_start') as first,
           max((s.value #>> '{}')::time) filter (where s.key = 'reminder_window_end') as last
      from public.office_settings s where s.key in ('reminders_on', 'reminder_hours_before', 'reminder_window_start', 'reminder_window_end'))
  select a.id, w.audience, w.recipient, a.pickuptime, w.number, private.reminder_time(a.pickuptime, said.hours, said.first, said.last)
    from said
    join public.appointments a on a.operation_status = 'assigned' and a.deleted_at is null
         and a.pickuptime > public.task_now() and a.pickuptime < public.task_now() + (said.hours + 48) * interval '1 hour'
    left join public.clients c on c.id = a.client_id
    join public.drivers d on d.id = a.driver_assigned
   cross join lateral (values ('client', c.id, c.phone), ('driver', d.id, coalesce(d.work_phone, d.phone))) w (audience, recipient, number)
   where said.wanted and w.recipient is not null and (w.audience = 'driver' or a.appointment_type <> 'support')
     and not exists (select from public.messages m
                      where m.appointment_id = a.id and m.audience = w.audience and m.recipient_id = w.recipient and m.kind = 'reminder'
                        and m.for_time = a.pickuptime and (m.state <> 'refused' or m.to_number is not distinct from w.number))
$$;

-- Whom to remind now: the client and the driver of every assigned trip that is still ahead, whose reminder is due, and not yet
-- written down; a refused one again as soon as there is another number. Empty outside the office's hours for it.
create or replace function private.reminders_due()
  returns table (appointment_id uuid, audience text, recipient_id uuid, for_time timestamptz, to_number text)
  language sql stable security definer set search_path = '' as $$
  select r.appointment_id, r.audience, r.recipient_id, r.for_time, r.to_number
    from private.reminders_ahead() r
   where r.goes_at <= public.task_now()
     and (public.task_now() at time zone private.office_zone())::time
         between (select (s.value #>> '{}')::time from public.office_settings s where s.key = 'reminder_window_start')
             and (select (s.value #>> '{}')::time from public.office_settings s where s.key = 'reminder_window_end')
   order by r.for_time, r.appointment_id, r.audience
$$;

revoke execute on function private.reminders_ahead() from public;
grant execute on function private.reminder_time(timestamptz, integer, time, time), private.reminders_ahead() to authenticated, service_role;

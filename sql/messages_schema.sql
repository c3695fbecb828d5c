-- Text messages about trips: what they say, and which have been sent.
--
-- The words are templates that the office may edit. They can name only what `private.placeholders` lists, and the reason for
-- a trip is not among it, nor the clinic, which tells it: a text lies open on a telephone that others may read.
--
-- Quo takes no key to recognise a repeat by, so nothing is sent that is not first written down here. `private.intend_message`
-- does that and says whether this caller may send; `private.settle_message` says what came of it:
--
--     intended ──▶ sent        Quo took it
--        │  └────▶ refused     it will not be delivered as it is: a wrong number, none, or a refusal
--        ▼
--     unknown ───▶ sent | refused   after a look into Quo, or by a person
--
-- One row for each message that should exist, by the trip, the person, the kind, the moment it is about, and for notices the
-- version of the trip: so a reminder is never sent twice, and a trip that moves to another time is reminded of anew. A refused
-- message may be intended again, and is then the same row. The text itself is not kept, only its digest, to be found by in Quo.
--
-- Needs appointments_schema.sql.

create function private.placeholders() returns text[]
  language sql immutable set search_path = '' as $$
  select '{client_first_name,driver_first_name,date,pickup_time,appointment_time,pickup_town,business_name,support_phone,signature}'::text[]
$$;

-- Whether a template can be filled in: known placeholders only, and no brace left over.
create function private.is_template(p_body text) returns boolean
  language sql immutable set search_path = '' as $$
  select btrim(p_body) <> '' and length(p_body) <= 400
         and regexp_replace(p_body, '\{(' || array_to_string(private.placeholders(), '|') || ')\}', '', 'g') !~ '[{}]'
$$;

create table public.message_templates (
  id         uuid primary key default gen_random_uuid(),
  audience   text not null,
  kind       text not null,
  body       text not null,
  usual_body text not null,                           -- what to go back to
  updated_by uuid references public.users,
  updated_at timestamptz not null default public.task_now(),
  unique (audience, kind),
  constraint known_audience check (audience in ('client', 'driver')),
  constraint can_be_filled_in check (private.is_template(body))
);
create index message_templates_updated_by on public.message_templates (updated_by);
insert into public.message_templates (audience, kind, body, usual_body)
select t.audience, t.kind, t.body, t.body
  from (values
    ('client', 'booked', 'Hello {client_first_name}, your ride is booked: {date}, pickup {pickup_time}. {signature}'),
    ('client', 'changed', 'Hello {client_first_name}, your ride has changed. It is now {date}, pickup {pickup_time}. {signature}'),
    ('client', 'cancelled', 'Hello {client_first_name}, your ride on {date} at {pickup_time} is cancelled. {signature}'),
    ('client', 'reminder', 'Reminder: your ride is {date}, pickup {pickup_time}. {signature}'),
    ('driver', 'assigned', 'New trip: {date}, pickup {pickup_time}, {pickup_town}. Details are in your calendar. {signature}'),
    ('driver', 'changed', 'Trip changed: it is now {date}, pickup {pickup_time}, {pickup_town}. Details are in your calendar. {signature}'),
    ('driver', 'unassigned', 'The trip on {date}, pickup {pickup_time}, is no longer yours. {signature}'),
    ('driver', 'cancelled', 'Cancelled: the trip on {date}, pickup {pickup_time}, {pickup_town}. {signature}'),
    ('driver', 'reminder', 'Reminder: trip on {date}, pickup {pickup_time}, {pickup_town}. {signature}')) t (audience, kind, body);

create table public.messages (
  id             uuid primary key default gen_random_uuid(),
  appointment_id uuid not null references public.appointments on delete cascade,
  audience       text not null,
  recipient_id   uuid not null,                       -- the client or the driver
  kind           text not null,
  for_time       timestamptz not null,                -- the pickup it speaks of
  occasion       integer not null default 0,          -- the version of the trip it speaks of; 0 for reminders
  to_number      text,                                -- E.164; null: there is none, so it was refused
  body_hash      text not null,
  state          text not null default 'intended',
  provider_id    text,
  error          text,
  created_at     timestamptz not null default public.task_now(),
  updated_at     timestamptz not null default public.task_now(),
  unique (appointment_id, audience, recipient_id, kind, for_time, occasion),
  foreign key (audience, kind) references public.message_templates (audience, kind),
  constraint known_state check (state in ('intended', 'sent', 'unknown', 'refused')),
  constraint a_refusal_says_why check (state not in ('refused', 'unknown') or btrim(coalesce(error, '')) <> ''),
  constraint sent_somewhere check (to_number is not null or state = 'refused'),
  constraint reminders_have_one_occasion check (kind <> 'reminder' or occasion = 0)
);
create index messages_template on public.messages (audience, kind);
create index messages_unsettled on public.messages (created_at) where state <> 'sent';
create index messages_reminded on public.messages (updated_at) where kind = 'reminder' and state = 'sent';

create function private.sign_template() returns trigger
  language plpgsql set search_path = '' as $$
begin
  if (new.audience, new.kind, new.usual_body) is distinct from (old.audience, old.kind, old.usual_body) then
    raise exception 'only the words of a message can be changed' using errcode = 'BT409',
      detail = 'Programs know it by its kind.', hint = 'Change its text only.';
  end if;
  new.updated_by := case when private.is_person() then auth.uid() else coalesce(new.updated_by, auth.uid()) end;
  new.updated_at := public.task_now();
  return new;
end $$;
create trigger message_templates_sign before update on public.message_templates for each row execute function private.sign_template();


-- ── The words ───────────────────────────────────────────────────────────────────────────────────────────────────

-- "Tuesday 24 November": the office's day.
create function private.spoken_day(p_at timestamptz) returns text
  language sql stable set search_path = '' as $$ select to_char(p_at at time zone private.office_zone(), 'FMDay FMDD FMMonth') $$;
create function private.spoken_time(p_at timestamptz) returns text
  language sql stable set search_path = '' as $$ select to_char(p_at at time zone private.office_zone(), 'FMHH12:MI am') $$;

create function private.fill_in(p_body text, p_values jsonb) returns text
  language plpgsql immutable set search_path = '' as $$
declare
  filled text := '';
  part text[];
begin
  for part in select regexp_matches(p_body, '([^{]*)(?:\{([a-z_]+)\})?', 'g') loop   -- in one pass, so that a value with braces stays as it is
    filled := filled || coalesce(part[1], '') || coalesce(p_values ->> part[2], '');
  end loop;
  return btrim(regexp_replace(filled, '[[:blank:]]+', ' ', 'g'));
end $$;

-- What a message says about a trip as it is now. p_driver: whom a driver's message is for, where it is no longer the trip's own.
create function private.message_text(p_appointment uuid, p_audience text, p_kind text, p_driver uuid default null) returns text
  language sql stable set search_path = '' as $$
  select private.fill_in(t.body, jsonb_build_object(
           'client_first_name', c.firstname, 'driver_first_name', d.first_name,
           'date', private.spoken_day(a.pickuptime), 'pickup_time', private.spoken_time(a.pickuptime),
           'appointment_time', private.spoken_time(a.appointmenttime), 'pickup_town',
           coalesce(case when a.appointment_type = 'support' or a.trip_direction = 'to_home' then w.city else c.city end, 'see your calendar'),
           'business_name', s.said ->> 'business_name', 'support_phone', s.said ->> 'support_phone', 'signature', s.said ->> 'sms_signature'))
    from public.appointments a
    join public.message_templates t on t.audience = p_audience and t.kind = p_kind
    left join public.clients c on c.id = a.client_id
    left join public.destinations w on w.id = a.clinic_id
    left join public.drivers d on d.id = coalesce(p_driver, a.driver_assigned)
   cross join lateral (select jsonb_object_agg(o.key, o.value) as said from public.office_settings o
                        where o.key in ('business_name', 'support_phone', 'sms_signature')) s
   where a.id = p_appointment
$$;


-- ── Sending, at most once ───────────────────────────────────────────────────────────────────────────────────────

-- Writes a message down before it is sent. `may_send` is true for the one caller who is to send it now: it is new, or was
-- refused before. An intended or unknown one may have been sent: look into Quo first. Without a number it is refused at once.
create function private.intend_message(p_appointment uuid, p_audience text, p_recipient uuid, p_kind text, p_for_time timestamptz, p_occasion integer,
                                       p_to_number text, p_body_hash text)
  returns table (id uuid, state text, may_send boolean, to_number text, created_at timestamptz)
  language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  here public.messages;
begin
  insert into public.messages (appointment_id, audience, recipient_id, kind, for_time, occasion, to_number, body_hash, state, error)
       values (p_appointment, p_audience, p_recipient, p_kind, p_for_time, p_occasion, p_to_number, p_body_hash,
               case when p_to_number is null then 'refused' else 'intended' end, case when p_to_number is null then 'There is no telephone number.' end)
  on conflict (appointment_id, audience, recipient_id, kind, for_time, occasion) do nothing
  returning * into here;
  if found then
    return query select here.id, here.state, here.state = 'intended', here.to_number, here.created_at;
    return;
  end if;
  select m.* into here from public.messages m
   where (m.appointment_id, m.audience, m.recipient_id, m.kind, m.for_time, m.occasion)
       = (p_appointment, p_audience, p_recipient, p_kind, p_for_time, p_occasion) for update;
  if here.state = 'refused' and p_to_number is not null then
    update public.messages m
       set state = 'intended', to_number = p_to_number, body_hash = p_body_hash, provider_id = null, error = null,
           created_at = public.task_now(), updated_at = public.task_now()
     where m.id = here.id returning m.* into here;
    return query select here.id, here.state, true, here.to_number, here.created_at;
    return;
  end if;
  return query select here.id, here.state, false, here.to_number, here.created_at;
end $$;

-- What came of it. A message that is known to be sent stays sent.
create function private.settle_message(p_message uuid, p_state text, p_provider_id text default null, p_error text default null) returns text
  language plpgsql security definer set search_path = '' as $$
declare
  now_is text;
begin
  update public.messages m
     set state = p_state, provider_id = coalesce(p_provider_id, m.provider_id), error = case when p_state <> 'sent' then p_error end,
         updated_at = public.task_now()
   where m.id = p_message and m.state <> 'sent' and p_state <> 'intended' returning m.state into now_is;
  if not found then
    select m.state into now_is from public.messages m where m.id = p_message;
  end if;
  return now_is;
end $$;

-- The tasks, whosever they are, that would send this text: for a notice none once another was said of the same trip to the same
-- person, since from then on they are that one's.
create function private.tasks_of_message(p_message uuid) returns setof uuid
  language sql stable security definer set search_path = '' as $$
  select t.id from public.messages m
    join public.background_tasks t on t.entity_type = 'appointment' and t.entity_id = m.appointment_id
     and t.args ->> 'audience' = m.audience and t.args ->> 'recipient_id' = m.recipient_id::text
     and case m.kind when 'reminder' then t.task_type = 'send_reminder' and (t.args ->> 'for_time')::timestamptz = m.for_time
              else t.task_type = 'send_appointment_notification' end
   where m.id = p_message
     and not exists (select from public.messages n
                      where (n.appointment_id, n.audience, n.recipient_id) = (m.appointment_id, m.audience, m.recipient_id)
                        and m.kind <> 'reminder' and n.kind <> 'reminder' and n.occasion > m.occasion)
$$;

-- Whether somebody is at it: it is looked for once more, and sent if it is not there.
create function private.is_message_under_way(p_message uuid) returns boolean
  language sql stable security definer set search_path = '' as $$
  select exists (select from private.tasks_of_message(p_message) x(id) join public.background_tasks t using (id)
                  where t.status in ('pending', 'processing'))
$$;

-- The failure whose retry sends it, if whoever asks may see that.
create function private.failure_of_message(p_message uuid) returns uuid
  language sql stable set search_path = '' as $$
  select t.id from private.tasks_of_message(p_message) x(id) join public.background_tasks t using (id)
   where t.status = 'failed' and t.dismissed_at is null and t.superseded_by is null order by t.completed_at desc, t.id limit 1
$$;

-- Somebody has looked in Quo, or told them another way: they have what the text says. Only of one whose fate nobody knows.
create function private.mark_message_sent(p_message uuid) returns public.messages
  language plpgsql security definer set search_path = '' as $$
declare
  here public.messages;
begin
  if private.is_person() and not private.may('edit_appointments') then
    raise exception 'you may not say what became of a text' using errcode = 'BT403', detail = 'Your role does not include it.',
      hint = 'Ask the office.';
  end if;
  select m.* into here from public.messages m where m.id = p_message for update;
  if not found then
    raise exception 'message not found' using errcode = 'BT404', detail = 'Nothing has this id.', hint = 'Reload the page.';
  end if;
  if here.state <> 'unknown' then
    raise exception 'this text is not in doubt' using errcode = 'BT409', detail = format('It is %s.', here.state), hint = 'Reload the page.';
  end if;
  if private.is_message_under_way(p_message) then
    raise exception 'this text is being seen to' using errcode = 'BT409',
      detail = 'It is looked for in Quo once more, and sent if it is not there.', hint = 'Wait until that has ended, then look again.';
  end if;
  update public.messages m set state = 'sent', error = null, updated_at = public.task_now() where m.id = p_message returning m.* into here;
  return here;
end $$;

-- When a reminder goes out: so many hours before the pickup. Outside the hours in which the office reminds: at their beginning, if
-- that is half an hour before the pickup still; else in the last half-hour of the evening before. Nobody is left to the last ten
-- minutes of those hours: who looks every few minutes would come too late.
create function private.reminder_time(p_pickup timestamptz, p_hours integer, p_start time, p_end time) returns timestamptz
  language sql immutable set search_path = '' as $$
  select (case when t.at::time > p_end - interval '10 minutes' then t.at::date + (p_end - interval '30 minutes')
               when t.at::time >= p_start then t.at
               when (t.at::date + p_start) at time zone private.office_zone() < p_pickup - interval '30 minutes' then t.at::date + p_start
               else t.at::date - 1 + (p_end - interval '30 minutes') end) at time zone private.office_zone()
    from (select (p_pickup - p_hours * interval '1 hour') at time zone private.office_zone() as at) t
$$;

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
create function private.reminders_due()
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

-- Whether anybody is: what the schedule asks every few minutes.
create function private.reminders_wait() returns boolean
  language sql stable security definer set search_path = '' as $$ select exists (select from private.reminders_due()) $$;


-- ── Who may see and do what ─────────────────────────────────────────────────────────────────────────────────────

alter table public.message_templates enable row level security;
alter table public.messages enable row level security;

create policy staff_read_templates on public.message_templates for select to authenticated using ((select private.is_staff()));
create policy administrators_change_templates on public.message_templates for update to authenticated
  using ((select private.may('manage_system_config'))) with check ((select private.may('manage_system_config')));
create policy staff_read_messages on public.messages for select to authenticated using ((select private.is_staff()));

revoke all on public.message_templates, public.messages from anon, authenticated, service_role;
grant select, update on public.message_templates to authenticated, service_role;
grant select on public.messages to authenticated;
grant all on public.messages to service_role;

revoke execute on all functions in schema private from public;
grant execute on function private.placeholders(), private.is_template(text), private.spoken_day(timestamptz), private.spoken_time(timestamptz),
                          private.fill_in(text, jsonb), private.message_text(uuid, text, text, uuid) to authenticated, service_role;
grant execute on function private.intend_message(uuid, text, uuid, text, timestamptz, integer, text, text),
                          private.settle_message(uuid, text, text, text), private.reminder_time(timestamptz, integer, time, time),
                          private.reminders_due(), private.reminders_wait() to service_role;
grant execute on function private.reminder_time(timestamptz, integer, time, time), private.reminders_ahead() to authenticated, service_role;
grant execute on function private.tasks_of_message(uuid), private.is_message_under_way(uuid), private.failure_of_message(uuid),
                          private.mark_message_sent(uuid) to authenticated, service_role;

-- A void invoice has a paper that says VOID, beside the one it was sent with. A text whose fate nobody knows is settled by a person.

-- The paper of a void invoice, which says so. The one from before, which somebody may have been sent, stays as it was made.
create table public.invoice_void_documents (
  invoice_id uuid primary key references public.invoices on delete cascade,
  content    bytea not null,
  media_type text not null default 'application/pdf',
  sha256     bytea not null generated always as (sha256(content)) stored,
  made_at    timestamptz not null default public.task_now()
);
alter table public.invoice_void_documents enable row level security;
create policy those_who_may_see_costs_read_void_documents on public.invoice_void_documents for select to authenticated
  using ((select private.may('view_costs')));
revoke all on public.invoice_void_documents from anon, authenticated, service_role;
grant select on public.invoice_void_documents to authenticated, service_role;
grant insert on public.invoice_void_documents to service_role;

-- Those that were voided before get theirs in the background, once a worker that can draw it is there: tried for a day.
select private.create_task('invoice', i.id, format('%s, %s (%s)', i.invoice_number, i.bill_to_name, i.knumber), 'draw_void_invoice', null, null,
                           jsonb_build_object('invoice_id', i.id), 'draw_void_invoice:' || i.id, 2880, 'inner', null)
  from public.invoices i where i.invoice_status = 'void';

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
revoke execute on function private.tasks_of_message(uuid), private.is_message_under_way(uuid), private.failure_of_message(uuid),
                           private.mark_message_sent(uuid) from public;
grant execute on function private.tasks_of_message(uuid), private.is_message_under_way(uuid), private.failure_of_message(uuid),
                          private.mark_message_sent(uuid) to authenticated, service_role;

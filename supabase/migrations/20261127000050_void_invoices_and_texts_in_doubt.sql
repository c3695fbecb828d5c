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

-- Those that were voided before get theirs in the background, once a worker that can draw it is there.
select private.create_task('invoice', i.id, format('%s, %s (%s)', i.invoice_number, i.bill_to_name, i.knumber), 'draw_void_invoice', null, null,
                           jsonb_build_object('invoice_id', i.id), 'draw_void_invoice:' || i.id, 5, 'inner', null)
  from public.invoices i where i.invoice_status = 'void';

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
  update public.messages m set state = 'sent', error = null, updated_at = public.task_now() where m.id = p_message returning m.* into here;
  return here;
end $$;
revoke execute on function private.mark_message_sent(uuid) from public;
grant execute on function private.mark_message_sent(uuid) to authenticated, service_role;

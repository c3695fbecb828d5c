-- Invoices that go out by mail: to whom, and that they have gone.

alter table public.invoices add column mail_to text;

-- Whom it is sent to by mail. Said before it goes, so that a wrong address can be put right while the mail waits.
create function private.address_invoice(p_invoice uuid, p_to text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  was text;
begin
  perform private.must_handle_invoices();
  select i.invoice_status into was from public.invoices i where i.id = p_invoice for update;
  if not found then
    raise exception 'invoice not found' using errcode = 'BT404', detail = 'Nothing has this id.', hint = 'Reload the list.';
  end if;
  if was = 'void' then
    raise exception 'an invoice that is void is not sent' using errcode = 'BT409',
      detail = 'It was voided, and its trips are free for another.', hint = 'Create a new invoice.';
  end if;
  update public.invoices i set mail_to = p_to, updated_at = public.task_now() where i.id = p_invoice;
end $$;

-- It has gone out by mail, and so is sent; one that was paid or voided meanwhile stays what it is. Returns what it is.
create function private.note_invoice_mailed(p_invoice uuid) returns text
  language plpgsql security definer set search_path = '' as $$
declare
  is_now text;
begin
  select i.invoice_status into is_now from public.invoices i where i.id = p_invoice for update;
  if is_now in ('created', 'sent') then
    select s.invoice_status into is_now from private.set_invoice_status(p_invoice, 'sent') s;
  end if;
  return is_now;
end $$;

revoke execute on function private.address_invoice(uuid, text), private.note_invoice_mailed(uuid) from public;
grant execute on function private.address_invoice(uuid, text) to authenticated, service_role;
grant execute on function private.note_invoice_mailed(uuid) to service_role;

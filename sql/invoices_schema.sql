-- Invoices: completed trips that were marked ready, at the prices they had on that day.
--
--     trip:     not_ready ◀──▶ ready ──▶ created ──▶ sent ──▶ paid        (appointments.invoice_status)
--                                ▲          │          │
--     invoice:                   │       created ──▶ sent ──▶ paid        (invoices.invoice_status)
--                                └──────────┴── void ──┘
--
-- `private.create_invoice` makes one of the ready trips of one client. Its lines keep what each trip was and cost; totals come
-- from the lines, the tax rate from the office's settings, both frozen. Numbers, INV-0001 and so on, come from one counter row
-- that stays locked until the commit: no gap when something fails, no number twice.
--
-- A trip is on an invoice when its `invoice_id` names one that has a line for it; a foreign key over both columns says so, and
-- only the functions here write lines. Its invoice_status then is the invoice's, by trigger, and neither its price nor its
-- status changes any more. Voiding an invoice frees its trips; the voided invoice keeps number and lines.
--
-- Locks. Trips in the order of their ids, then the counter; or the invoice, then its trips.
--
-- Needs appointments_schema.sql. Only those who may see costs see any of this.

create table public.invoices (
  id                  uuid primary key default gen_random_uuid(),
  invoice_number      text not null unique,
  client_id           uuid not null references public.clients,
  knumber             text not null,                  -- as on the paper: who, and where to
  bill_to_name        text not null,
  bill_to_address     text not null,
  invoice_status      text not null default 'created',
  invoice_date        date not null,
  due_date            date not null,
  tax_rate            numeric(6, 5) not null,
  invoice_subtotal    numeric(10, 2) not null,
  invoice_tax         numeric(10, 2) not null,
  invoice_total       numeric(10, 2) not null generated always as (invoice_subtotal + invoice_tax) stored,
  notes               text,
  invoice_sent_at     timestamptz,
  payment_received_at timestamptz,
  voided_at           timestamptz,
  voided_by           uuid references public.users,
  created_by          uuid references public.users,
  invoice_created_at  timestamptz not null default public.task_now(),
  updated_at          timestamptz not null default public.task_now(),
  mail_to             text,                           -- whom it was last sent to, or is on its way to
  constraint known_status check (invoice_status in ('created', 'sent', 'paid', 'void')),
  constraint numbered     check (invoice_number ~ '^INV-[0-9]{4,}$'),
  constraint taxed        check (invoice_tax = round(invoice_subtotal * tax_rate, 2)),
  constraint paid_says_when check (invoice_status <> 'paid' or payment_received_at is not null),
  constraint sent_says_when check (invoice_status <> 'sent' or invoice_sent_at is not null),
  constraint void_says_when check ((invoice_status = 'void') = (voided_at is not null)),
  constraint due_afterwards check (due_date >= invoice_date)
);
create index invoices_client on public.invoices (client_id, invoice_date);
create index invoices_newest on public.invoices (invoice_created_at, id);
create index invoices_created_by on public.invoices (created_by);
create index invoices_voided_by on public.invoices (voided_by) where voided_by is not null;

create table public.invoice_lines (
  invoice_id     uuid not null references public.invoices on delete cascade,
  appointment_id uuid not null references public.appointments,
  place          integer not null,                    -- 1, 2, 3 … down the page
  served_on      date not null,
  description    text not null,
  rate           numeric(10, 2) not null,
  primary key (invoice_id, appointment_id),
  unique (invoice_id, place),
  constraint rate_is_sane check (rate between 0 and 10000)
);
create index invoice_lines_appointment on public.invoice_lines (appointment_id);
alter table public.appointments
  add constraint appointments_invoice_line foreign key (invoice_id, id) references public.invoice_lines (invoice_id, appointment_id);

-- The paper, as it was made: never made twice of the same invoice.
create table public.invoice_documents (
  invoice_id uuid primary key references public.invoices on delete cascade,
  content    bytea not null,
  media_type text not null default 'application/pdf',
  sha256     bytea not null generated always as (sha256(content)) stored,
  made_at    timestamptz not null default public.task_now()
);

-- The paper of a void invoice, which says so. The one from before, which somebody may have been sent, stays as it was made.
create table public.invoice_void_documents (
  invoice_id uuid primary key references public.invoices on delete cascade,
  content    bytea not null,
  media_type text not null default 'application/pdf',
  sha256     bytea not null generated always as (sha256(content)) stored,
  made_at    timestamptz not null default public.task_now()
);

create table private.invoice_counter (
  only_one boolean primary key default true,
  last     integer not null default 0,
  constraint only_one check (only_one)
);
insert into private.invoice_counter default values;


-- ── Trips on invoices ───────────────────────────────────────────────────────────────────────────────────────────

create function private.guard_invoicing() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  old_invoice uuid := case when tg_op = 'UPDATE' then old.invoice_id end;
  was text;
begin
  if old_invoice is not null then
    select i.invoice_status into was from public.invoices i where i.id = old_invoice;
    if was <> 'void' and (new.invoice_id is distinct from old_invoice or (new.operation_status, new.client_id, new.deleted_at, new.purged_at)
                          is distinct from (old.operation_status, old.client_id, old.deleted_at, old.purged_at)) then
      raise exception 'this trip is on an invoice' using errcode = 'BT409',
        detail = 'What was invoiced stays as it was.', hint = 'Void the invoice first.';
    end if;
  end if;
  if new.invoice_id is not null then
    new.invoice_status := (select i.invoice_status from public.invoices i where i.id = new.invoice_id);
  elsif old_invoice is not null then
    new.invoice_status := 'ready';
  elsif new.invoice_status = 'ready' and (tg_op = 'INSERT' or old.invoice_status <> 'ready') then
    if new.operation_status <> 'completed' or new.client_id is null or new.deleted_at is not null then
      raise exception 'only a client''s completed trip is ready for an invoice' using errcode = 'BT409',
        detail = 'This one is not.', hint = 'Complete it first.';
    end if;
  elsif new.invoice_status = 'ready' and (new.operation_status <> 'completed' or new.deleted_at is not null) then
    new.invoice_status := 'not_ready';
  elsif new.invoice_status not in ('not_ready', 'ready') then
    raise exception 'a trip is % by its invoice only', new.invoice_status using errcode = 'BT409',
      detail = 'This trip is on none.', hint = 'Create an invoice of it.';
  end if;
  return new;
end $$;
create trigger appointments_5_invoicing before insert or update on public.appointments for each row execute function private.guard_invoicing();

create function private.must_handle_invoices() returns void
  language plpgsql stable security definer set search_path = '' as $$
begin
  if private.is_person() and not private.may('view_costs') then
    raise exception 'only supervisors look after invoices' using errcode = 'BT403', detail = 'Your role does not include it.', hint = 'Ask a supervisor.';
  end if;
end $$;

-- An invoice of these trips, all of one client and all ready. A trip without a rate of its own costs the office's default.
create function private.create_invoice(p_appointments uuid[], p_invoice_date date default null, p_notes text default null, p_by uuid default null)
  returns public.invoices
  language plpgsql security definer set search_path = '' as $$
declare
  made public.invoices;
  trips uuid[];
  unready integer;
  clients integer;
  priceless integer;
  client public.clients;
  usual numeric;
  tax numeric;
  days integer;
  day date := coalesce(p_invoice_date, private.local_day(public.task_now()));
  number integer;
begin
  perform private.must_handle_invoices();
  select array_agg(a.id), count(*) filter (where a.invoice_status <> 'ready'), count(distinct a.client_id)
    into trips, unready, clients
    from (select x.* from public.appointments x where x.id = any (p_appointments) and x.deleted_at is null order by x.id for update) a;
  if trips is null or cardinality(trips) < (select count(distinct u) from unnest(p_appointments) u) then
    raise exception 'No appointments found' using errcode = 'BT404', detail = 'Some were removed, or none was chosen.', hint = 'Reload the list and choose again.';
  end if;
  if clients <> 1 then
    raise exception 'All appointments must be for same client' using errcode = 'BT409', hint = 'Make one invoice for each client.';
  end if;
  if unready > 0 then
    raise exception '% appointment(s) not in ready status', unready using errcode = 'BT409', hint = 'Mark them ready, or leave them out.';
  end if;
  select (max(s.value #>> '{}') filter (where s.key = 'default_rate'))::numeric, (max(s.value #>> '{}') filter (where s.key = 'tax_rate'))::numeric,
         (max(s.value #>> '{}') filter (where s.key = 'invoice_due_days'))::integer
    into usual, tax, days
    from public.office_settings s where s.key in ('default_rate', 'tax_rate', 'invoice_due_days');
  select count(*) into priceless
    from unnest(trips) t left join public.appointment_costs c on c.appointment_id = t where coalesce(c.custom_rate, usual) is null;
  if priceless > 0 then
    raise exception '% appointment(s) without a rate', priceless using errcode = 'BT409',
      detail = 'The office has no default rate.', hint = 'Enter a rate for each, or a default rate in the settings.';
  end if;
  select c.* into client from public.appointments a join public.clients c on c.id = a.client_id where a.id = trips[1];

  update private.invoice_counter set last = last + 1 returning last into number;
  insert into public.invoices (invoice_number, client_id, knumber, bill_to_name, bill_to_address, invoice_date, due_date, tax_rate,
                               invoice_subtotal, invoice_tax, notes, created_by)
  select 'INV-' || lpad(number::text, greatest(4, length(number::text)), '0'), client.id, client.knumber, client.full_name,
         concat_ws(E'\n', client.civicaddress, client.city || ', ' || client.prov || ' ' || client.postalcode),
         day, day + days, tax, t.subtotal, round(t.subtotal * tax, 2), nullif(btrim(p_notes), ''), private.acting_user(p_by)
    from (select sum(coalesce(c.custom_rate, usual)) as subtotal from unnest(trips) x left join public.appointment_costs c on c.appointment_id = x) t
  returning * into made;
  insert into public.invoice_lines (invoice_id, appointment_id, place, served_on, description, rate)
  select made.id, a.id, row_number() over (order by a.appointmenttime, a.id), private.local_day(a.appointmenttime),
         case a.appointment_type when 'round_trip' then 'Round trip' when 'one_way' then 'One-way trip' else 'Support' end
         || ', ' || private.spoken_time(a.appointmenttime) || coalesce(', ' || a.locationname, ''),
         coalesce(c.custom_rate, usual)
    from public.appointments a left join public.appointment_costs c on c.appointment_id = a.id where a.id = any (trips);
  update public.appointments a set invoice_id = made.id where a.id = any (trips);
  return made;
end $$;

-- created → sent → paid, or paid at once. p_at: when it really was sent or paid; now, unless told.
create function private.set_invoice_status(p_invoice uuid, p_status text, p_at timestamptz default null) returns public.invoices
  language plpgsql security definer set search_path = '' as $$
declare
  invoice public.invoices;
  at constant timestamptz := coalesce(p_at, public.task_now());
begin
  perform private.must_handle_invoices();
  select i.* into invoice from public.invoices i where i.id = p_invoice for update;
  if not found then
    raise exception 'invoice not found' using errcode = 'BT404', detail = 'Nothing has this id.', hint = 'Reload the list.';
  end if;
  if (invoice.invoice_status, p_status) not in (('created', 'sent'), ('created', 'paid'), ('sent', 'sent'), ('sent', 'paid')) then
    raise exception 'an invoice that is % cannot become %', invoice.invoice_status, coalesce(p_status, 'nothing') using errcode = 'BT409',
      detail = 'There is no such step.', hint = 'Reload the invoice.';
  end if;
  update public.invoices i
     set invoice_status = p_status, updated_at = public.task_now(),
         invoice_sent_at = case when p_status = 'sent' then at else i.invoice_sent_at end,
         payment_received_at = case when p_status = 'paid' then at else i.payment_received_at end
   where i.id = p_invoice returning i.* into invoice;
  update public.appointments a set invoice_status = p_status where a.invoice_id = p_invoice and a.invoice_status <> p_status;
  return invoice;
end $$;

create function private.void_invoice(p_invoice uuid, p_by uuid default null) returns public.invoices
  language plpgsql security definer set search_path = '' as $$
declare
  invoice public.invoices;
begin
  perform private.must_handle_invoices();
  select i.* into invoice from public.invoices i where i.id = p_invoice for update;
  if not found then
    raise exception 'invoice not found' using errcode = 'BT404', detail = 'Nothing has this id.', hint = 'Reload the list.';
  end if;
  if invoice.invoice_status in ('paid', 'void') then
    raise exception 'an invoice that is % cannot be voided', invoice.invoice_status using errcode = 'BT409',
      detail = case invoice.invoice_status when 'paid' then 'The money has come.' else 'It was voided before.' end, hint = 'Reload the invoice.';
  end if;
  update public.invoices i
     set invoice_status = 'void', voided_at = public.task_now(), voided_by = private.acting_user(p_by), updated_at = public.task_now()
   where i.id = p_invoice returning i.* into invoice;
  update public.appointments a set invoice_id = null where a.invoice_id = p_invoice;
  return invoice;
end $$;

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


-- ── Who may see and do what ─────────────────────────────────────────────────────────────────────────────────────

alter table public.invoices enable row level security;
alter table public.invoice_lines enable row level security;
alter table public.invoice_documents enable row level security;
alter table public.invoice_void_documents enable row level security;

create policy those_who_may_see_costs_read_invoices on public.invoices for select to authenticated using ((select private.may('view_costs')));
create policy those_who_may_see_costs_read_lines on public.invoice_lines for select to authenticated using ((select private.may('view_costs')));
create policy those_who_may_see_costs_read_documents on public.invoice_documents for select to authenticated using ((select private.may('view_costs')));
create policy those_who_may_see_costs_read_void_documents on public.invoice_void_documents for select to authenticated
  using ((select private.may('view_costs')));

revoke all on public.invoices, public.invoice_lines, public.invoice_documents, public.invoice_void_documents from anon, authenticated, service_role;
grant select on public.invoices, public.invoice_lines, public.invoice_documents, public.invoice_void_documents to authenticated, service_role;
grant insert on public.invoice_documents, public.invoice_void_documents to service_role;

revoke execute on all functions in schema private from public;
grant execute on function private.create_invoice(uuid[], date, text, uuid), private.set_invoice_status(uuid, text, timestamptz),
                          private.void_invoice(uuid, uuid), private.address_invoice(uuid, text) to authenticated, service_role;
grant execute on function private.note_invoice_mailed(uuid) to service_role;

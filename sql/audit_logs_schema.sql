-- Who asked for what, and when. Append-only, and tamper-evident.
--
-- An entry is written in the transaction of the change it describes, before the tasks that follow from it; tasks point
-- at it, so that anybody can go from an effect back to the person's click. Nobody updates or deletes an entry: no role
-- is granted it, and a trigger refuses even the owner.
--
-- Against whoever owns the database, evidence instead of a lock: `seal_audit_logs()`, run every few seconds by one worker,
-- takes the SHA-256 of each new entry and chains them, seal upon seal. Writers never wait for one another, because the
-- chain is built behind them. `verify_audit_logs()` walks it and names the first entry that was changed, removed or
-- slipped in, and returns the last digest. Whoever keeps that digest elsewhere can prove all that came before it; without
-- one, an owner who rewrites the whole chain, or cuts off its end, leaves no trace.

create table public.audit_logs (
  id            uuid primary key default gen_random_uuid(),
  seq           bigint not null generated always as identity,
  action        text not null,                        -- verb_noun: create_client, dismiss_task
  entity_type   text,
  entity_id     uuid,
  user_id       uuid references public.users,
  user_name     text not null,
  role          text not null,
  details       jsonb not null default '{}',
  ip_address    inet,
  user_agent    text,
  success       boolean not null default true,
  error_message text,
  created_at    timestamptz not null default public.task_now(),
  constraint action_is_named    check (action <> ''),
  constraint a_refusal_says_why check (success or coalesce(error_message, '') <> '')
);
create unique index audit_logs_seq on public.audit_logs (seq);
create index audit_logs_created on public.audit_logs (created_at);
-- What is asked of the log, newest first: by whom, under which name, about which record, which action, only what was refused.
create index audit_logs_user on public.audit_logs (user_id, seq);
create index audit_logs_name on public.audit_logs (user_name, seq);
create index audit_logs_entity on public.audit_logs (entity_type, entity_id, seq);
create index audit_logs_action on public.audit_logs (action, seq);
create index audit_logs_refused on public.audit_logs (seq) where not success;

create table private.audit_seals (
  seal_no   bigint primary key,
  sealed_at timestamptz not null default public.task_now(),
  entries   integer not null,
  previous  bytea not null,
  digest    bytea not null                            -- sha256(previous ‖ the digests of its entries, by seq)
);
create table private.audit_sealed (
  seq     bigint primary key,                         -- of audit_logs; no foreign key: it must outlive a forbidden delete
  seal_no bigint not null references private.audit_seals,
  digest  bytea not null
);
create index audit_sealed_seal on private.audit_sealed (seal_no);

create function private.refuse_change() returns trigger
  language plpgsql set search_path = '' as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'BT403',
    detail = format('%s of %I was refused.', tg_op, tg_table_name), hint = 'Write a new entry that corrects the old one.';
end $$;
create trigger audit_logs_append_only before update or delete on public.audit_logs
  for each row execute function private.refuse_change();
create trigger audit_logs_not_emptied before truncate on public.audit_logs
  for each statement execute function private.refuse_change();

-- What each daily check of the chain found; the task verify_audit_log writes it. The digest of the last whole one must still be in
-- the chain at the next.
create table private.audit_checks (
  check_no   bigint primary key generated always as identity,
  checked_at timestamptz not null default public.task_now(),
  entries    bigint not null,                         -- how many were under a seal
  last_seal  bigint,
  digest     bytea,                                   -- of that seal; null where nothing was sealed, or the chain is broken
  broken_seq bigint,                                  -- the first entry that is not as it was sealed
  why        text,                                    -- null: the chain was whole
  constraint a_seal_has_its_digest check ((last_seal is null) = (digest is null)),
  constraint a_broken_one_says_why check (broken_seq is null or why is not null),
  constraint why_is_said           check (why <> '')
);
create trigger audit_checks_append_only before update or delete on private.audit_checks
  for each row execute function private.refuse_change();
create trigger audit_checks_not_emptied before truncate on private.audit_checks
  for each statement execute function private.refuse_change();

-- Writes one entry in the caller's transaction. The name and role are those of now: they may change later. p_refused: it was
-- tried and not done, for this reason.
create function private.write_audit(p_action text, p_entity_type text, p_entity_id uuid, p_user_id uuid,
                                    p_details jsonb default '{}', p_ip inet default null, p_user_agent text default null,
                                    p_refused text default null)
  returns uuid
  language sql security definer set search_path = '' as $$
  insert into public.audit_logs (action, entity_type, entity_id, user_id, user_name, role, details, ip_address, user_agent, success, error_message)
  select p_action, p_entity_type, p_entity_id, u.id, coalesce(u.full_name, 'system'), coalesce(u.role, 'system'),
         coalesce(p_details, '{}'), p_ip, left(p_user_agent, 300), p_refused is null, p_refused
    from (select 1) one left join public.users u on u.id = p_user_id
  returning id
$$;

create function private.audit_digest(entry public.audit_logs) returns bytea
  language sql stable set search_path = '' as $$
  select sha256(convert_to(jsonb_build_array(
    entry.seq, entry.id, entry.action, entry.entity_type, entry.entity_id, entry.user_id, entry.user_name, entry.role,
    entry.details, text(entry.ip_address), entry.user_agent, entry.success, entry.error_message,
    extract(epoch from entry.created_at))::text, 'UTF8'))
$$;

create function private.chain_digest(p_previous bytea, p_digests bytea[]) returns bytea
  language sql immutable set search_path = '' as $$
  select sha256(p_previous || coalesce((select string_agg(d, ''::bytea order by n) from unnest(p_digests) with ordinality x(d, n)), ''))
$$;

-- Seals what has been committed since the last seal. An entry is dated by the begin of its transaction, so one that took
-- long comes with an older date; a day older than the last seal is not believed any more. Returns how many it sealed.
create function private.seal_audit_logs() returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  last private.audit_seals;
  fresh bigint[];
  digests bytea[];
begin
  if not pg_try_advisory_xact_lock(hashtext('backhaul.seal_audit_logs')) then
    return 0;
  end if;
  select s.* into last from private.audit_seals s order by s.seal_no desc limit 1;
  select array_agg(a.seq order by a.seq), array_agg(private.audit_digest(a) order by a.seq) into fresh, digests
    from public.audit_logs a
   where a.created_at > coalesce(last.sealed_at - interval '1 day', '-infinity')
     and not exists (select from private.audit_sealed s where s.seq = a.seq);
  if fresh is null then
    return 0;
  end if;
  insert into private.audit_seals (seal_no, entries, previous, digest)
       values (coalesce(last.seal_no, 0) + 1, cardinality(fresh), coalesce(last.digest, ''::bytea),
               private.chain_digest(coalesce(last.digest, ''::bytea), digests));
  insert into private.audit_sealed (seq, seal_no, digest)
  select f.seq, coalesce(last.seal_no, 0) + 1, f.digest from unnest(fresh, digests) f(seq, digest);
  return cardinality(fresh);
end $$;

-- Looks at the entries after p_after (null: from the first), as many as p_at_most sealed ones, and names the first that is not
-- as it was sealed. `up_to` is where the next look begins, null after the last; `sealed_at` is when the broken entry was sealed.
create function private.verify_audit_entries(p_after bigint default null, p_at_most integer default 10000)
  returns table (checked integer, up_to bigint, broken_seq bigint, sealed_at timestamptz, why text)
  language plpgsql stable security definer set search_path = '' as $$
declare
  first_seq constant bigint := coalesce(p_after + 1, -9223372036854775808);
  last_seq bigint;
begin
  select count(*), max(x.seq) into checked, last_seq
    from (select s.seq from private.audit_sealed s where s.seq >= first_seq order by s.seq limit p_at_most) x;
  if checked = p_at_most then
    up_to := last_seq;
  else
    last_seq := 9223372036854775807;                  -- and whatever lies behind the last sealed entry
  end if;
  select b.seq, b.sealed_at, b.why into broken_seq, verify_audit_entries.sealed_at, why from (
    select s.seq, z.sealed_at,
           case when a.id is null then 'The entry was removed.'
                when z.seal_no is null then 'The seal it was under was removed.'
                else 'The entry was changed.' end as why
      from private.audit_sealed s
      left join public.audit_logs a on a.seq = s.seq
      left join private.audit_seals z on z.seal_no = s.seal_no
     where s.seq between first_seq and last_seq
       and (a.id is null or z.seal_no is null or private.audit_digest(a) <> s.digest)
    union all
    select a.seq, null, 'The entry was slipped in: it is older than what was sealed, and was never sealed itself.'
      from public.audit_logs a
     where a.seq between first_seq and last_seq
       and a.created_at <= (select max(z.sealed_at) - interval '1 day' from private.audit_seals z)
       and not exists (select from private.audit_sealed s where s.seq = a.seq)) b
   order by b.seq limit 1;
  return next;
end $$;

-- Looks whether the seals after p_after (null: from the first), p_at_most of them, fit the one before, whose digest is
-- p_previous. `up_to` and `digest` are what the next look begins with, `up_to` null after the last; `broken_seq` is the first
-- entry of a seal that does not fit. `kept_seal` is the seal whose digest p_kept is, if it is among them.
create function private.verify_audit_seals(p_after bigint default null, p_previous bytea default '', p_at_most integer default 5000,
                                           p_kept bytea default null)
  returns table (checked integer, up_to bigint, last_seal bigint, digest bytea, broken_seq bigint, sealed_at timestamptz, why text, kept_seal bigint)
  language plpgsql stable security definer set search_path = '' as $$
declare
  seal record;
begin
  checked := 0;
  last_seal := p_after;
  digest := p_previous;
  for seal in
    select z.seal_no, z.sealed_at, z.previous, z.digest, z.entries, e.found, e.first_seq, private.chain_digest(z.previous, e.digests) as computed
      from private.audit_seals z
     cross join lateral (select count(*) as found, min(s.seq) as first_seq, array_agg(s.digest order by s.seq) as digests
                           from private.audit_sealed s where s.seal_no = z.seal_no) e
     where z.seal_no > coalesce(p_after, -9223372036854775808) order by z.seal_no limit p_at_most
  loop
    if seal.previous <> digest or seal.digest <> seal.computed or seal.entries <> seal.found then
      broken_seq := coalesce(seal.first_seq, 0);
      verify_audit_seals.sealed_at := seal.sealed_at;
      why := format('Seal %s does not fit the chain.', seal.seal_no);
      exit;
    end if;
    checked := checked + 1;
    last_seal := seal.seal_no;
    digest := seal.digest;
    if digest = p_kept then
      kept_seal := seal.seal_no;
    end if;
  end loop;
  if broken_seq is null and checked = p_at_most then
    up_to := last_seal;
  end if;
  return next;
end $$;

-- Walks the whole chain. `broken_seq` is the first entry that is not as it was sealed, null when all is well.
create function private.verify_audit_logs()
  returns table (checked bigint, unsealed bigint, broken_seq bigint, why text, last_seal bigint, last_digest bytea)
  language plpgsql stable security definer set search_path = '' as $$
declare
  after_entry bigint;
  after_seal bigint;
  previous bytea := '';
begin
  select c.sealed, c.unsealed into checked, unsealed from private.count_audit_logs() c;
  loop
    select e.up_to, e.broken_seq, e.why into after_entry, broken_seq, why from private.verify_audit_entries(after_entry) e;
    exit when broken_seq is not null or after_entry is null;
  end loop;
  while broken_seq is null loop
    select s.up_to, s.digest, s.broken_seq, s.why into after_seal, previous, broken_seq, why from private.verify_audit_seals(after_seal, previous) s;
    exit when after_seal is null;
  end loop;
  select z.seal_no, z.digest into last_seal, last_digest from private.audit_seals z order by z.seal_no desc limit 1;
  return next;
end $$;

-- How many entries are sealed, and how many still wait for it.
create function private.count_audit_logs() returns table (sealed bigint, unsealed bigint)
  language sql stable security definer set search_path = '' as $$
  select (select count(*) from private.audit_sealed),
         (select count(*) from public.audit_logs a where not exists (select from private.audit_sealed s where s.seq = a.seq))
$$;

alter table public.audit_logs enable row level security;
revoke all on public.audit_logs from anon, authenticated, service_role;
revoke all on sequence public.audit_logs_seq_seq from anon, authenticated, service_role;
grant select on public.audit_logs to authenticated;
grant select, insert on public.audit_logs to service_role;
grant select, insert on private.audit_checks to service_role;
create policy people_read_their_own_entries_supervisors_all on public.audit_logs for select to authenticated
  using (user_id = (select private.my_id()) or (select private.is_supervisor()));

revoke execute on all functions in schema private from public;
grant execute on function private.write_audit(text, text, uuid, uuid, jsonb, inet, text, text), private.seal_audit_logs(),
                          private.verify_audit_logs(), private.count_audit_logs(), private.verify_audit_entries(bigint, integer),
                          private.verify_audit_seals(bigint, bytea, integer, bytea) to service_role;

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
create index audit_logs_user on public.audit_logs (user_id, created_at);
create index audit_logs_entity on public.audit_logs (entity_type, entity_id);
create index audit_logs_created on public.audit_logs (created_at);

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

-- Walks the whole chain. `broken_seq` is the first entry that is not as it was sealed, null when all is well.
create function private.verify_audit_logs()
  returns table (checked bigint, unsealed bigint, broken_seq bigint, why text, last_seal bigint, last_digest bytea)
  language plpgsql stable security definer set search_path = '' as $$
declare
  seal record;
  expected bytea := ''::bytea;
begin
  select count(*) into checked from private.audit_sealed;
  select count(*) into unsealed from public.audit_logs a
   where not exists (select from private.audit_sealed s where s.seq = a.seq);
  select b.seq, b.why into broken_seq, why from (
    select s.seq, case when a.id is null then 'The entry was removed.' else 'The entry was changed.' end as why
      from private.audit_sealed s left join public.audit_logs a on a.seq = s.seq
     where a.id is null or private.audit_digest(a) <> s.digest
    union all
    select a.seq, 'The entry was slipped in: it is older than what was sealed, and was never sealed itself.'
      from public.audit_logs a
     where a.created_at <= (select max(s.sealed_at) - interval '1 day' from private.audit_seals s)
       and not exists (select from private.audit_sealed s where s.seq = a.seq)) b
   order by b.seq limit 1;
  if broken_seq is null then
    for seal in
      select s.seal_no, s.previous, s.digest, s.entries, count(e.seq) as found, min(e.seq) as first_seq,
             private.chain_digest(s.previous, array_agg(e.digest order by e.seq)) as computed
        from private.audit_seals s left join private.audit_sealed e using (seal_no)
       group by s.seal_no order by s.seal_no
    loop
      if seal.previous <> expected or seal.digest <> seal.computed or seal.entries <> seal.found then
        broken_seq := coalesce(seal.first_seq, 0);
        why := format('Seal %s does not fit the chain.', seal.seal_no);
        exit;
      end if;
      expected := seal.digest;
    end loop;
  end if;
  select s.seal_no, s.digest into last_seal, last_digest from private.audit_seals s order by s.seal_no desc limit 1;
  return next;
end $$;

alter table public.audit_logs enable row level security;
revoke all on public.audit_logs from anon, authenticated, service_role;
revoke all on sequence public.audit_logs_seq_seq from anon, authenticated, service_role;
grant select on public.audit_logs to authenticated;
grant select, insert on public.audit_logs to service_role;
create policy people_read_their_own_entries_supervisors_all on public.audit_logs for select to authenticated
  using (user_id = (select private.my_id()) or (select private.is_supervisor()));

revoke execute on all functions in schema private from public;
grant execute on function private.write_audit(text, text, uuid, uuid, jsonb, inet, text, text), private.seal_audit_logs(),
                          private.verify_audit_logs() to service_role;

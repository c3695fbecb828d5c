-- The audit log is searched by people, and walked in parts: indexes for what they ask, and a check that a short patience
-- (statement_timeout) does not break off.

drop index public.audit_logs_user, public.audit_logs_entity;
-- What is asked of the log, newest first: by whom, under which name, about which record, which action, only what was refused.
create index audit_logs_user on public.audit_logs (user_id, seq);
create index audit_logs_name on public.audit_logs (user_name, seq);
create index audit_logs_entity on public.audit_logs (entity_type, entity_id, seq);
create index audit_logs_action on public.audit_logs (action, seq);
create index audit_logs_refused on public.audit_logs (seq) where not success;

drop function private.verify_audit_logs();

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

revoke execute on function private.verify_audit_logs(), private.count_audit_logs(), private.verify_audit_entries(bigint, integer),
                           private.verify_audit_seals(bigint, bytea, integer, bytea) from public;
grant execute on function private.verify_audit_logs(), private.count_audit_logs(), private.verify_audit_entries(bigint, integer),
                          private.verify_audit_seals(bigint, bytea, integer, bytea) to service_role;

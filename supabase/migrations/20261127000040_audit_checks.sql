-- The chain of the audit log is checked each day; what was found is kept.

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

revoke all on private.audit_checks from anon, authenticated, service_role;
grant select, insert on private.audit_checks to service_role;

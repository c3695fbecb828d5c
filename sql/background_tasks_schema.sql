-- The ledger of background tasks: what is to be done, what is being done, what came of it.
--
-- One row is one side effect: put this client into Quo, work out these drive times. The row is written in the same
-- transaction as the record it belongs to and the audit entry that says who asked, so either all three exist or none.
-- From then on the row says what is true, and nothing else does.
--
--                       start                        complete
--        ┌──────────┐ ──────────▶ ┌────────────┐ ───────────────▶ ┌───────────┐
--  ────▶ │ pending  │             │ processing │                  │ completed │ ──▶ archive after 7 days
--        └──────────┘ ◀────────── └────────────┘ ──┐              └───────────┘
--             ▲         snooze, or                 │ fail: no tries left,
--             │         fail with tries left       │ or it will not pass by itself
--             │                                    ▼
--             │          retry              ┌──────────┐  dismiss   ┌────────────────────┐
--             └──────────────────────────── │  failed  │ ─────────▶ │ failed + dismissed │ ──▶ archive
--                                           └──────────┘ ◀───────── └────────────────────┘
--                                            undismiss
--
-- Everybody moves rows through the functions below: our worker, n8n, the SQL editor, a person at psql. A move that does
-- not apply changes nothing and says why in what it returns (type task_move); a mistake, such as an unknown task or an
-- empty error message, raises with an errcode, a DETAIL and a HINT. A trigger refuses every move not drawn above, even to
-- the owner of the tables.
--
-- Attempts and leases. `start` raises `attempt` by one and gives a lease. The number is the fence: a result that carries
-- an older number, or comes after the lease has ended, is refused, so a worker that was paused and woke up late cannot
-- overwrite what its successor found. Our workers renew their leases all the while; n8n and people at psql do not, so
-- theirs last an hour, after which the sweep fails the task and says so. n8n may leave the number out: then the current
-- attempt is meant.
--
-- Once-per keys. `once_key` says "one waiting, one running" among the tasks of one type: creating a task whose key is
-- waiting joins the waiting one; creating one while another runs waits behind it. Two partial unique indexes hold that,
-- not good manners.
--
-- Locks. A move locks its own task first (FOR UPDATE), then older failures whose work it did, by id, then the one that
-- waits behind it. A save that creates several tasks takes their keys in order. Whoever handles many tasks in one
-- transaction (the sweep, a worker that leaves) waits for nobody: what is busy is left for the next time. A worker's own
-- statements hold its task FOR KEY SHARE, which keeps takers-over out and lets the heartbeat through.
--
-- Needs users_schema.sql and audit_logs_schema.sql. How a due task reaches a worker is in delivery_schema.sql; this file
-- stands without it.

create table public.background_tasks (
  id               uuid primary key default gen_random_uuid(),
  entity_type      text not null,                     -- client, driver, appointment, …
  entity_id        uuid not null,
  entity_label     text,                              -- what a person calls it, e.g. "Jane Roe (K1234567)"
  audit_log_id     uuid references public.audit_logs, -- the action it follows from
  task_type        text not null,
  status           text not null default 'pending',
  args             jsonb not null default '{}',
  result           jsonb,
  error_message    text,                              -- what failed and why; kept while it waits to try again
  error_code       text,                              -- the cause, for grouping: quo.401, maps.not_found
  error_hint       text,                              -- what to do about it
  created_at       timestamptz not null default public.task_now(),
  started_at       timestamptz,
  completed_at     timestamptz,                       -- when it ended, well or badly
  created_by       uuid references public.users,      -- null: nobody's own, so supervisors see to it
  dismissed_at     timestamptz,
  dismissed_by     uuid references public.users,
  attempt          integer not null default 0,        -- starts so far; the fence
  failures         integer not null default 0,        -- tries used up, against max_attempts
  max_attempts     integer not null default 5,
  run_after        timestamptz not null default public.task_now(),
  lease_expires_at timestamptz,
  leased_by        text,
  once_key         text,                              -- of its task type
  superseded_by    uuid,                              -- the later task that has done this one's work
  lane             text not null default 'inner',     -- which outside service it mostly waits for
  constraint known_status       check (status in ('pending', 'processing', 'completed', 'failed')),
  constraint has_a_task_type    check (task_type <> ''),
  constraint failure_says_why   check (status <> 'failed' or coalesce(error_message, '') <> ''),
  constraint dismissed_failure  check (dismissed_at is null or (status = 'failed' and dismissed_by is not null)),
  constraint lease_while_it_runs check ((status = 'processing') = (lease_expires_at is not null)),
  constraint end_has_a_time     check ((status in ('completed', 'failed')) = (completed_at is not null)),
  constraint superseded_failure check (superseded_by is null or status = 'failed'),
  constraint a_key_says_something check (once_key <> ''),
  constraint allows_a_try       check (max_attempts >= 1)
);
create unique index background_tasks_one_waiting on public.background_tasks (once_key, task_type) where status = 'pending';
create unique index background_tasks_one_running on public.background_tasks (once_key, task_type) where status = 'processing';
create index background_tasks_due on public.background_tasks (run_after) where status = 'pending';
create index background_tasks_running on public.background_tasks (leased_by) where status = 'processing';   -- not the lease: a renewal touches no index
create index background_tasks_owner on public.background_tasks (created_by, status);
create index background_tasks_dismisser on public.background_tasks (dismissed_by);
create index background_tasks_entity on public.background_tasks (entity_type, entity_id, task_type);
create index background_tasks_audit on public.background_tasks (audit_log_id);
create index background_tasks_on_screen on public.background_tasks (completed_at)
  where status = 'failed' and dismissed_at is null and superseded_by is null;
create index background_tasks_ended on public.background_tasks (completed_at) where completed_at is not null;

-- Checkpoints. A step is filed under its label and a hash of its arguments: the same question is not asked twice, and a
-- changed address is asked afresh.
create table public.background_task_steps (
  task_id     uuid not null references public.background_tasks on delete cascade,
  label       text not null,
  args_hash   text not null,
  answer      jsonb,
  attempt     integer not null,
  finished_at timestamptz not null default public.task_now(),
  primary key (task_id, label, args_hash)
);

create table public.background_task_attempts (
  task_id       uuid not null references public.background_tasks on delete cascade,
  attempt       integer not null,
  worker        text,
  started_at    timestamptz not null default public.task_now(),
  finished_at   timestamptz,
  outcome       text,                                 -- completed, failed, again, snoozed, lost
  error_message text,
  error_code    text,
  primary key (task_id, attempt),
  constraint known_outcome check (outcome in ('completed', 'failed', 'again', 'snoozed', 'lost'))
);

create table public.background_tasks_archive (
  like public.background_tasks including defaults,
  archived_at timestamptz not null default public.task_now(),
  steps       jsonb not null default '[]',
  attempts    jsonb not null default '[]',
  primary key (id)
);
create index background_tasks_archive_owner on public.background_tasks_archive (created_by);
create index background_tasks_archive_entity on public.background_tasks_archive (entity_type, entity_id);
create index background_tasks_archive_audit on public.background_tasks_archive (audit_log_id);

-- What a move did. `changed` false means nothing happened, and `reason` says why.
create type public.task_move as (task_id uuid, changed boolean, status text, attempt integer, reason text);

-- Our own workers, alive while `seen_at` is fresh. n8n and psql are not in here.
create table private.workers (
  id         text primary key,
  started_at timestamptz not null default public.task_now(),
  seen_at    timestamptz not null default public.task_now(),
  stopped_at timestamptz
);

-- What whoever runs the database may set: update private.ledger_settings set foreign_lease = '2 hours'.
create table private.ledger_settings (
  only_row      boolean primary key default true,
  foreign_lease interval not null default interval '1 hour',   -- how long n8n or a person may take for a task they started
  constraint just_one check (only_row),
  constraint some_time check (foreign_lease > interval '0')
);
insert into private.ledger_settings default values;

-- One row per click: the caller's idempotency key, and the reply to give again.
create table private.clicks (
  user_id      uuid not null,
  workflow     text not null,
  key          text not null,
  request_hash bytea not null,
  reply        jsonb,
  created_at   timestamptz not null default public.task_now(),
  primary key (user_id, workflow, key)
);
create index clicks_created on private.clicks (created_at);


-- ── Guard and announcement ──────────────────────────────────────────────────────────────────────────────────────

create function private.guard_task_status() returns trigger
  language plpgsql set search_path = '' as $$
begin
  if (old.status, new.status) not in (('pending', 'processing'), ('processing', 'pending'), ('processing', 'completed'),
                                      ('processing', 'failed'), ('failed', 'pending')) then
    raise exception 'task % cannot go from % to %', old.id, old.status, new.status using errcode = 'BT409',
      detail = 'The ledger knows no such move.', hint = 'Use the functions: start, complete, fail, retry.';
  end if;
  if new.status = 'processing' and new.attempt <= old.attempt then
    raise exception 'task % was started without a new attempt number', old.id using errcode = 'BT409',
      detail = 'The number is what keeps late workers out.', hint = 'Use start_background_task.';
  end if;
  return new;
end $$;
create trigger background_tasks_guard before update of status on public.background_tasks
  for each row when (old.status is distinct from new.status) execute function private.guard_task_status();

-- Tells open pages that a row changed: ids only, never names; who may see the row is asked when it is read.
create function private.announce_task() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  perform pg_notify('background_tasks', json_build_object('id', new.id, 'created_by', new.created_by)::text);
  return null;
end $$;
create trigger background_tasks_announce_new after insert on public.background_tasks
  for each row execute function private.announce_task();
create trigger background_tasks_announce_change after update of status, dismissed_at, superseded_by, created_by, run_after
  on public.background_tasks
  for each row when ((old.status, old.dismissed_at, old.superseded_by, old.created_by, old.run_after)
                     is distinct from (new.status, new.dismissed_at, new.superseded_by, new.created_by, new.run_after))
  execute function private.announce_task();


-- ── The moves, with the rights of the ledger's owner ────────────────────────────────────────────────────────────

-- Whoever may execute start, complete, fail and snooze may do so for every task: our workers, and a role made for n8n.
create function private.lock_task(p_task_id uuid) returns public.background_tasks
  language plpgsql set search_path = '' as $$
declare
  task public.background_tasks;
begin
  select t.* into task from public.background_tasks t where t.id = p_task_id for update;
  if not found then
    perform private.no_such_task(p_task_id);
  end if;
  return task;
end $$;

-- For what people may do: somebody else's task is as if it were not there.
create function private.lock_visible_task(p_task_id uuid) returns public.background_tasks
  language plpgsql set search_path = '' as $$
declare
  task public.background_tasks := private.lock_task(p_task_id);
begin
  if private.is_person() and not coalesce(task.created_by = private.my_id() or private.is_supervisor(), false) then
    perform private.no_such_task(p_task_id);
  end if;
  return task;
end $$;

create function private.no_such_task(p_task_id uuid) returns void
  language plpgsql set search_path = '' as $$
begin
  raise exception 'there is no task %', p_task_id using errcode = 'BT404',
    detail = 'It does not exist, is archived, or is not yours to see.', hint = 'Refresh the list.';
end $$;

create function private.moved(task public.background_tasks, changed boolean, reason text default null)
  returns public.task_move
  language sql immutable set search_path = '' as $$
  select row(task.id, changed, task.status, task.attempt, reason)::public.task_move
$$;

create function private.describe(task public.background_tasks) returns text
  language sql stable set search_path = '' as $$
  select case task.status
    when 'pending'    then 'It is waiting' || case when task.run_after > public.task_now() then ', not before ' || to_char(task.run_after at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' else '' end || '.'
    when 'processing' then format('It is running: attempt %s, by %s.', task.attempt, coalesce(task.leased_by, 'n8n or a person'))
    when 'completed'  then 'It is completed.'
    else 'It has failed' || case when task.dismissed_at is not null then ' and was dismissed' when task.superseded_by is not null then ', and a later task did the work' else '' end || '.'
  end
$$;

-- Closes the record of an attempt. Attempts that n8n never started by number have none to close.
create function private.close_attempt(task public.background_tasks, p_outcome text, p_message text default null, p_code text default null)
  returns void
  language sql set search_path = '' as $$
  update public.background_task_attempts a
     set finished_at = public.task_now(), outcome = p_outcome, error_message = p_message, error_code = p_code
   where a.task_id = task.id and a.attempt = task.attempt
$$;

-- Who may report a result: null when the caller's attempt holds the task, otherwise why not.
create function private.no_longer_holds(task public.background_tasks, p_attempt integer) returns text
  language sql stable set search_path = '' as $$
  select case
    when task.status <> 'processing' then private.describe(task) || case when task.status = 'pending' then ' Start it first.' else '' end
    when p_attempt is not null and p_attempt <> task.attempt then format('Attempt %s no longer holds it: attempt %s does.', p_attempt, task.attempt)
    when task.lease_expires_at <= public.task_now() then format('The lease of attempt %s has ended.', task.attempt)
  end
$$;

-- Makes a task wait again. If a newer request for the same work waits already, that one carries on, at once and with newer
-- data, and this one is superseded by it.
create function private.back_to_pending(task public.background_tasks, p_run_after timestamptz, p_failures integer,
                                        p_message text, p_code text, p_hint text)
  returns public.background_tasks
  language plpgsql set search_path = '' as $$
declare
  newer uuid;
  after public.background_tasks;
begin
  for look in 1 .. 10 loop
    select t.id into newer from public.background_tasks t
     where t.once_key = task.once_key and t.task_type = task.task_type and t.status = 'pending' and t.id <> task.id;
    if newer is not null then
      update public.background_tasks t
         set status = 'failed', completed_at = public.task_now(), lease_expires_at = null, leased_by = null,
             error_message = coalesce(p_message, t.error_message, 'A newer request for the same work carries on.'),
             error_code = p_code, error_hint = p_hint, superseded_by = newer, dismissed_at = null, dismissed_by = null
       where t.id = task.id returning t.* into after;
      update public.background_tasks t set run_after = least(t.run_after, public.task_now()) - interval '1 microsecond'
       where t.id = newer and t.status = 'pending';
      return after;
    end if;
    begin
      update public.background_tasks t
         set status = 'pending', run_after = p_run_after, failures = p_failures, completed_at = null,
             lease_expires_at = null, leased_by = null, dismissed_at = null, dismissed_by = null, superseded_by = null,
             error_message = p_message, error_code = p_code, error_hint = p_hint
       where t.id = task.id returning t.* into after;
      return after;
    exception when unique_violation then
      null;                                           -- a newer request arrived in this very moment: look again, and join it
    end;
  end loop;
  raise exception 'task % cannot wait again: a request for the same work keeps getting in between', task.id using errcode = 'BT409',
    detail = 'Ten looks did not find it; a REPEATABLE READ transaction never does.', hint = 'Do it again, in READ COMMITTED.';
end $$;

-- A task that waited behind another of its once-per key becomes due when that one stops running. It is due already, so
-- its time moves by a hair, back, which is what delivery looks at.
create function private.wake_follower(task public.background_tasks) returns void
  language sql set search_path = '' as $$
  update public.background_tasks t set run_after = t.run_after - interval '1 microsecond'
   where t.once_key = task.once_key and t.task_type = task.task_type and t.status = 'pending' and t.id <> task.id
     and t.run_after <= public.task_now()
$$;

-- Seconds until the next try: 2, 6, 18, 54 … at most 10 minutes, spread by a fifth so that a crowd does not come back as one.
create function private.back_off(p_failures integer) returns interval
  language sql volatile set search_path = '' as $$
  select least(2 * 3 ^ least(p_failures - 1, 6), 600) * (0.9 + random() * 0.2) * interval '1 second'
$$;

create function private.create_task(p_entity_type text, p_entity_id uuid, p_entity_label text, p_task_type text, p_created_by uuid,
                                    p_audit_log_id uuid, p_args jsonb, p_once_key text, p_max_attempts integer, p_lane text,
                                    p_run_after timestamptz)
  returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  task_id uuid;
  tries constant integer := coalesce(p_max_attempts, 5);
  due constant timestamptz := coalesce(p_run_after, public.task_now());
begin
  if coalesce(p_task_type, '') !~ '\S' or coalesce(p_entity_type, '') !~ '\S' or p_entity_id is null then
    raise exception 'a task needs an entity and a task type' using errcode = 'BT400',
      detail = format('Given: entity_type %L, entity_id %L, task_type %L.', p_entity_type, p_entity_id, p_task_type),
      hint = 'select create_background_task(''client'', ''<uuid>'', ''Jane Roe'', ''sync_quo'')';
  end if;
  if tries < 1 then
    raise exception 'a task needs at least one try' using errcode = 'BT400',
      detail = format('Given: max_attempts %s.', p_max_attempts), hint = 'Leave max_attempts out for 5.';
  end if;
  p_once_key := nullif(p_once_key, '');
  if p_once_key is not null then
    -- One that waits is joined: it will read the newest data when it runs. It belongs to whoever asked last, and its
    -- tries begin anew, because the data it may have failed on has changed.
    loop
      update public.background_tasks t
         set created_by = coalesce(p_created_by, t.created_by), audit_log_id = coalesce(p_audit_log_id, t.audit_log_id),
             entity_label = coalesce(p_entity_label, t.entity_label), args = coalesce(p_args, '{}'), failures = 0, max_attempts = tries,
             run_after = least(t.run_after, due)
       where t.once_key = p_once_key and t.task_type = p_task_type and t.status = 'pending'
      returning t.id into task_id;
      exit when found;
      insert into public.background_tasks (entity_type, entity_id, entity_label, task_type, created_by, audit_log_id, args,
                                           once_key, max_attempts, lane, run_after)
           values (p_entity_type, p_entity_id, p_entity_label, p_task_type, p_created_by, p_audit_log_id, coalesce(p_args, '{}'),
                   p_once_key, tries, coalesce(p_lane, 'inner'), due)
      on conflict (once_key, task_type) where status = 'pending' do nothing
      returning id into task_id;
      exit when found;                                -- otherwise somebody was faster: join theirs
    end loop;
  else
    insert into public.background_tasks (entity_type, entity_id, entity_label, task_type, created_by, audit_log_id, args,
                                         max_attempts, lane, run_after)
         values (p_entity_type, p_entity_id, p_entity_label, p_task_type, p_created_by, p_audit_log_id, coalesce(p_args, '{}'),
                 tries, coalesce(p_lane, 'inner'), due)
    returning id into task_id;
  end if;
  return task_id;
end $$;

create function private.start_task(p_task_id uuid, p_worker text, p_lease interval) returns public.task_move
  language plpgsql security definer set search_path = '' as $$
declare
  task public.background_tasks := private.lock_task(p_task_id);
  ahead uuid;
begin
  if p_lease <= interval '0' then
    raise exception 'a lease must last' using errcode = 'BT400', detail = format('Given: lease %s.', p_lease),
      hint = 'Leave it out for an hour.';
  end if;
  if task.status = 'processing' and task.lease_expires_at <= public.task_now() then
    task := private.take_back(task);
  end if;
  if task.status <> 'pending' or task.run_after > public.task_now() then
    return private.moved(task, false, private.describe(task));
  end if;
  if task.once_key is not null then
    select t.id into ahead from public.background_tasks t
     where t.once_key = task.once_key and t.task_type = task.task_type and t.status = 'processing';
    if found then
      return private.moved(task, false, format('It waits behind task %s, which does the same work now.', ahead));
    end if;
  end if;
  begin
    update public.background_tasks t
       set status = 'processing', attempt = t.attempt + 1, started_at = public.task_now(), leased_by = p_worker,
           lease_expires_at = public.task_now() + coalesce(p_lease, private.foreign_lease())
     where t.id = p_task_id returning t.* into task;
  exception when unique_violation then                -- a twin of the same once-per key started in this very moment
    return private.moved(task, false, 'It waits behind another task that does the same work now.');
  end;
  insert into public.background_task_attempts (task_id, attempt, worker) values (p_task_id, task.attempt, p_worker);
  return private.moved(task, true);
end $$;

-- What becomes of a task whose attempt is lost. One of ours goes to another worker, unless five in a row have died of it;
-- one that n8n or a person started is failed, in words somebody can act on.
create function private.take_back(task public.background_tasks) returns public.background_tasks
  language plpgsql set search_path = '' as $$
declare
  ours constant boolean := exists (select from private.workers w where w.id = task.leased_by);
  who constant text := coalesce(task.leased_by, 'n8n or a person');
  lost_before integer;
begin
  select count(*) into lost_before from public.background_task_attempts a
   where a.task_id = task.id and a.outcome = 'lost'
     and a.attempt > coalesce((select max(b.attempt) from public.background_task_attempts b where b.task_id = task.id and b.outcome <> 'lost'), 0);
  if ours and lost_before < 4 then
    perform private.close_attempt(task, 'lost', 'Its lease ended before it reported back.');
    return private.back_to_pending(task, public.task_now(), task.failures, task.error_message, task.error_code, task.error_hint);
  end if;
  update public.background_tasks t
     set status = 'failed', completed_at = public.task_now(), lease_expires_at = null,
         error_message = case when ours then 'The worker stopped five times while doing this. It never reported back.'
                              else format('%s started this and never reported back. It may or may not have been done.', who) end,
         error_code = case when ours then 'worker.lost' else 'foreign.lost' end,
         error_hint = case when ours then 'Tell whoever runs Backhaul; the worker''s log says what it was doing. Then retry it.'
                           else format('Look at what %s did, then retry it here or dismiss it.', who) end
   where t.id = task.id returning t.* into task;
  perform private.close_attempt(task, 'failed', 'Its lease ended before it reported back.', task.error_code);
  perform private.wake_follower(task);
  return task;
end $$;

-- How long n8n or a person may take.
create function private.foreign_lease() returns interval
  language sql stable set search_path = '' as $$
  select s.foreign_lease from private.ledger_settings s
$$;

create function private.complete_task(p_task_id uuid, p_result jsonb, p_attempt integer) returns public.task_move
  language plpgsql security definer set search_path = '' as $$
declare
  task public.background_tasks := private.lock_task(p_task_id);
  refusal text := private.no_longer_holds(task, p_attempt);
begin
  if refusal is not null then
    return private.moved(task, false, refusal);
  end if;
  update public.background_tasks t
     set status = 'completed', result = p_result, completed_at = public.task_now(), lease_expires_at = null,
         error_message = null, error_code = null, error_hint = null
   where t.id = p_task_id returning t.* into task;
  perform private.close_attempt(task, 'completed');
  -- What failed before for the same record is mended now, so nobody needs to hear of it any more.
  -- Dismissed ones too, so that taking a dismissal back does not bring up what is done. A different key is different work.
  update public.background_tasks t set superseded_by = task.id
   where t.id in (select o.id from public.background_tasks o
                   where o.entity_type = task.entity_type and o.entity_id = task.entity_id and o.task_type = task.task_type
                     and o.status = 'failed' and o.superseded_by is null and o.created_at < task.created_at
                     and (o.once_key is null or task.once_key is null or o.once_key = task.once_key)
                   order by o.id for update)
     and t.status = 'failed';
  perform private.wake_follower(task);
  return private.moved(task, true);
end $$;

create function private.fail_task(p_task_id uuid, p_message text, p_code text, p_hint text, p_transient boolean,
                                  p_retry_after interval, p_attempt integer, p_result jsonb)
  returns public.task_move
  language plpgsql security definer set search_path = '' as $$
declare
  task public.background_tasks := private.lock_task(p_task_id);
  refusal text := private.no_longer_holds(task, p_attempt);
begin
  if coalesce(p_message, '') !~ '\S' then
    raise exception 'a failure must say what failed' using errcode = 'BT400',
      detail = 'error_message is empty.', hint = 'Say what failed, why, and what to do about it.';
  end if;
  if refusal is not null then
    return private.moved(task, false, refusal);
  end if;
  if p_transient and task.failures + 1 < task.max_attempts then
    perform private.close_attempt(task, 'again', p_message, p_code);
    task := private.back_to_pending(task, public.task_now() + coalesce(p_retry_after, private.back_off(task.failures + 1)),
                                    task.failures + 1, p_message, p_code, p_hint);
    return private.moved(task, true, private.describe(task));
  end if;
  perform private.close_attempt(task, 'failed', p_message, p_code);
  update public.background_tasks t
     set status = 'failed', completed_at = public.task_now(), lease_expires_at = null, failures = t.failures + 1,
         error_message = p_message, error_code = p_code, error_hint = p_hint, result = coalesce(p_result, t.result)
   where t.id = p_task_id returning t.* into task;
  perform private.wake_follower(task);
  return private.moved(task, true);
end $$;

-- Later, at no cost: the service is on hold, or the worker is leaving. Uses up no try.
create function private.snooze_task(p_task_id uuid, p_until timestamptz, p_because text, p_attempt integer, p_code text) returns public.task_move
  language plpgsql security definer set search_path = '' as $$
declare
  task public.background_tasks := private.lock_task(p_task_id);
  refusal text := private.no_longer_holds(task, p_attempt);
begin
  if refusal is not null then
    return private.moved(task, false, refusal);
  end if;
  perform private.close_attempt(task, 'snoozed', p_because);
  task := private.back_to_pending(task, coalesce(p_until, public.task_now()), task.failures,
                                  coalesce(p_because, task.error_message), coalesce(p_code, task.error_code),
                                  case when p_because is null then task.error_hint end);
  return private.moved(task, true, private.describe(task));
end $$;

create function private.retry_task(p_task_id uuid, p_user_id uuid) returns public.task_move
  language plpgsql security definer set search_path = '' as $$
declare
  task public.background_tasks := private.lock_visible_task(p_task_id);
  who uuid := private.acting_user(p_user_id);
begin
  perform private.must_be_owner_or_supervisor(task, who);
  if task.status <> 'failed' or task.superseded_by is not null then
    return private.moved(task, false, private.describe(task));
  end if;
  task := private.back_to_pending(task, public.task_now(), 0, null, null, null);
  perform private.write_audit('retry_task', 'background_task', task.id, who,
                              jsonb_build_object('task_type', task.task_type, 'entity_type', task.entity_type, 'entity_id', task.entity_id));
  return private.moved(task, true, case when task.superseded_by is not null then 'A newer request for the same work is waiting; it carries on.' end);
end $$;

create function private.must_be_owner_or_supervisor(task public.background_tasks, p_user_id uuid) returns void
  language plpgsql set search_path = '' as $$
begin
  if p_user_id is null then
    return;                                           -- the worker and the database's owner act for the house
  end if;
  if not exists (select from public.users u where u.id = p_user_id and u.is_active
                    and (u.id = task.created_by or u.role in ('supervisor', 'admin'))) then
    raise exception 'task % is not this user''s', task.id using errcode = 'BT403',
      detail = 'Only the person whose save it follows, a supervisor or an admin may do this, while their account is active.',
      hint = 'Ask a supervisor.';
  end if;
end $$;

create function private.dismiss_task(p_task_id uuid, p_user_id uuid) returns public.task_move
  language plpgsql security definer set search_path = '' as $$
declare
  task public.background_tasks := private.lock_visible_task(p_task_id);
  who uuid := private.acting_user(p_user_id);
begin
  if who is null then
    raise exception 'nobody said who dismisses it' using errcode = 'BT400',
      detail = 'A dismissal records who took it off the screen.', hint = 'Pass the id of the user as user_id.';
  end if;
  perform private.must_be_owner_or_supervisor(task, who);
  if task.status <> 'failed' or task.dismissed_at is not null then
    return private.moved(task, false, private.describe(task));
  end if;
  update public.background_tasks t set dismissed_at = public.task_now(), dismissed_by = who
   where t.id = p_task_id returning t.* into task;
  perform private.write_audit('dismiss_task', 'background_task', task.id, who,
                              jsonb_build_object('task_type', task.task_type, 'error_code', task.error_code));
  return private.moved(task, true);
end $$;

create function private.undismiss_task(p_task_id uuid, p_user_id uuid) returns public.task_move
  language plpgsql security definer set search_path = '' as $$
declare
  task public.background_tasks := private.lock_visible_task(p_task_id);
  who uuid := private.acting_user(p_user_id);
begin
  perform private.must_be_owner_or_supervisor(task, who);
  if task.dismissed_at is null then
    return private.moved(task, false, private.describe(task) || ' It is not dismissed.');
  end if;
  update public.background_tasks t set dismissed_at = null, dismissed_by = null where t.id = p_task_id returning t.* into task;
  perform private.write_audit('undismiss_task', 'background_task', task.id, who, jsonb_build_object('task_type', task.task_type));
  return private.moved(task, true, case when task.superseded_by is not null then 'A later task has done its work, so it stays off the screen.' end);
end $$;

create function private.dismiss_all_tasks(p_user_id uuid, p_everybody boolean) returns setof uuid
  language plpgsql security definer set search_path = '' as $$
declare
  who uuid := private.acting_user(p_user_id);
begin
  if who is null then
    raise exception 'nobody said who dismisses them' using errcode = 'BT400',
      detail = 'Null means the caller, and there is no caller here.', hint = 'Pass the id of the user as user_id.';
  end if;
  if p_everybody and not exists (select from public.users u where u.id = who and u.is_active and u.role in ('supervisor', 'admin')) then
    raise exception 'only supervisors and admins may dismiss everybody''s failures' using errcode = 'BT403',
      detail = 'everybody was true.', hint = 'Leave everybody out to dismiss your own.';
  end if;
  return query
    with gone as (
      update public.background_tasks t set dismissed_at = public.task_now(), dismissed_by = who
       where t.id in (select o.id from public.background_tasks o
                       where o.status = 'failed' and o.dismissed_at is null and o.superseded_by is null
                         and (p_everybody or o.created_by = who) order by o.id for update)
         and t.status = 'failed' and t.dismissed_at is null
      returning t.id, t.task_type, t.error_code),
    audited as (
      select g.id, private.write_audit('dismiss_task', 'background_task', g.id, who,
                                       jsonb_build_object('task_type', g.task_type, 'error_code', g.error_code, 'all', true)) as entry
        from gone g)
    select a.id from audited a where a.entry is not null;
end $$;

-- Moves what is settled and old into the archive; at_most bounds one call, so that a caller may go in small commits.
-- Rows that somebody holds at this moment are left for next time, so no writer ever waits.
create function private.archive_tasks(p_older_than interval, p_at_most integer) returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  moved_now integer;
  total integer := 0;
  batch constant integer := 1000;
  before constant timestamptz := public.task_now() - coalesce(p_older_than, interval '7 days');
begin
  loop
    with old as (
      select t.id from public.background_tasks t
       where t.completed_at < before
         and (t.status = 'completed' or t.dismissed_at is not null or t.superseded_by is not null)
       order by t.completed_at limit greatest(least(batch, p_at_most - total), 0) for update skip locked),
    kept as (
      insert into public.background_tasks_archive
      select t.*, public.task_now(),
             coalesce((select jsonb_agg(to_jsonb(s) - 'task_id' order by s.finished_at) from public.background_task_steps s where s.task_id = t.id), '[]'),
             coalesce((select jsonb_agg(to_jsonb(a) - 'task_id' order by a.attempt) from public.background_task_attempts a where a.task_id = t.id), '[]')
        from public.background_tasks t join old using (id)
      returning id)
    delete from public.background_tasks t using kept where t.id = kept.id;
    get diagnostics moved_now = row_count;
    total := total + moved_now;
    exit when moved_now = 0 or total >= coalesce(p_at_most, total + 1);
  end loop;
  return total;
end $$;


-- ── For our own workers ─────────────────────────────────────────────────────────────────────────────────────────

-- Claims a task for one of our workers: start, and all it needs to know to do the work, as it is once the task is its own.
create function private.claim_task(p_task_id uuid, p_worker text, p_lease interval)
  returns table (changed boolean, reason text, attempt integer, id uuid, task_type text, entity_type text, entity_id uuid,
                 entity_label text, args jsonb, created_by uuid, created_at timestamptz, run_after timestamptz)
  language plpgsql security definer set search_path = '' as $$
declare
  move public.task_move;
begin
  insert into private.workers (id) values (p_worker) on conflict do nothing;   -- ours, though its heart has not beaten yet
  move := private.start_task(p_task_id, p_worker, p_lease);
  return query
    select move.changed, move.reason, t.attempt, t.id, t.task_type, t.entity_type, t.entity_id, t.entity_label, t.args, t.created_by,
           t.created_at, t.run_after
      from public.background_tasks t where t.id = p_task_id;
end $$;

-- The heartbeat of one worker: keeps itself and the leases it holds alive. Returns the tasks it still holds. A task whose
-- row is busy keeps the lease it has; one busy row must not cost all the others theirs.
create function private.keep_leases(p_worker text, p_lease interval) returns table (task_id uuid, attempt integer)
  language sql security definer set search_path = '' as $$
  insert into private.workers (id) values (p_worker) on conflict (id) do update set seen_at = public.task_now(), stopped_at = null;
  with free as (
    select t.id from public.background_tasks t
     where t.status = 'processing' and t.leased_by = p_worker and t.lease_expires_at > public.task_now() for no key update skip locked),
  kept as (update public.background_tasks t set lease_expires_at = public.task_now() + p_lease from free where t.id = free.id)
  select t.id, t.attempt from public.background_tasks t
   where t.status = 'processing' and t.leased_by = p_worker and t.lease_expires_at > public.task_now()
$$;

-- A worker that leaves in good order hands back at once what it still holds. What is busy comes back when its lease ends.
create function private.leave(p_worker text) returns integer
  language plpgsql security definer set search_path = '' set lock_timeout = '200ms' as $$
declare
  task public.background_tasks;
  handed integer := 0;
begin
  update private.workers w set stopped_at = public.task_now() where w.id = p_worker;
  for task in select t.* from public.background_tasks t
               where t.status = 'processing' and t.leased_by = p_worker for update skip locked loop
    begin
      perform private.close_attempt(task, 'snoozed', 'The worker was told to stop.');
      perform private.back_to_pending(task, public.task_now(), task.failures, task.error_message, task.error_code, task.error_hint);
      handed := handed + 1;
    exception when lock_not_available then
      null;                                           -- somebody is at work on the one that waits behind it
    end;
  end loop;
  return handed;
end $$;

-- Takes back what nobody works on any more. Returns how many it moved.
create function private.sweep_leases() returns integer
  language plpgsql security definer set search_path = '' set lock_timeout = '200ms' as $$
declare
  task public.background_tasks;
  swept integer := 0;
begin
  for task in select t.* from public.background_tasks t
               where t.status = 'processing' and t.lease_expires_at <= public.task_now() for update skip locked loop
    begin
      perform private.take_back(task);
      swept := swept + 1;
    exception when lock_not_available then
      null;                                           -- somebody is at work on the one that waits behind it: next time
    end;
  end loop;
  return swept;
end $$;

-- Before a step: its kept answer, if there is one. Raises BT410 when this attempt no longer holds the task.
create function private.recall_step(p_task_id uuid, p_attempt integer, p_label text, p_args_hash text)
  returns table (known boolean, answer jsonb)
  language plpgsql security definer set search_path = '' as $$
begin
  perform private.hold_lease(p_task_id, p_attempt);
  return query select s.task_id is not null, s.answer
    from (select 1) one left join public.background_task_steps s
      on s.task_id = p_task_id and s.label = p_label and s.args_hash = p_args_hash;
end $$;

create function private.keep_step(p_task_id uuid, p_attempt integer, p_label text, p_args_hash text, p_answer jsonb) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  perform private.hold_lease(p_task_id, p_attempt);
  insert into public.background_task_steps (task_id, label, args_hash, answer, attempt)
       values (p_task_id, p_label, p_args_hash, p_answer, p_attempt)
  on conflict (task_id, label, args_hash) do update set answer = excluded.answer, attempt = excluded.attempt, finished_at = public.task_now();
end $$;

-- Raises unless this attempt holds the task, and keeps it so until the transaction ends: a takeover waits for us. FOR KEY
-- SHARE, because the heartbeat must not wait: it renews all of a worker's leases, and a slow statement would cost them all.
create function private.hold_lease(p_task_id uuid, p_attempt integer) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  task public.background_tasks;
begin
  select t.* into task from public.background_tasks t where t.id = p_task_id for key share;
  if not found or private.no_longer_holds(task, p_attempt) is not null then
    raise exception 'attempt % no longer holds task %', p_attempt, p_task_id using errcode = 'BT410',
      detail = coalesce(private.no_longer_holds(task, p_attempt), 'The task is gone.'), hint = 'Stop: another worker has taken over.';
  end if;
end $$;


-- ── For workflows: one commit for record, audit entry and tasks ─────────────────────────────────────────────────

-- Claims a click. `reply` is the answer given before; `same` false means the key was used for something else.
create function private.claim_click(p_user_id uuid, p_workflow text, p_key text, p_request_hash bytea)
  returns table (fresh boolean, same boolean, reply jsonb)
  language plpgsql security definer set search_path = '' as $$
begin
  insert into private.clicks (user_id, workflow, key, request_hash)
  values (private.acting_user(p_user_id), p_workflow, p_key, p_request_hash)
  on conflict do nothing;                             -- a twin still in flight is waited for here
  if found then
    return query select true, true, null::jsonb;
  else
    return query select false, c.request_hash = p_request_hash, c.reply from private.clicks c
      where c.user_id = p_user_id and c.workflow = p_workflow and c.key = p_key;
  end if;
end $$;

create function private.answer_click(p_user_id uuid, p_workflow text, p_key text, p_reply jsonb) returns jsonb
  language sql security definer set search_path = '' as $$
  update private.clicks c set reply = p_reply where c.user_id = p_user_id and c.workflow = p_workflow and c.key = p_key
  returning c.reply
$$;

-- The audit entry and the list of work to follow. p_tasks: [{task_type, entity_type, entity_id, entity_label, args,
-- once_key, max_attempts, lane, delay_s}]. Returns the entry's id, the tasks' ids in order, and p_reply with the ids by task type (a list where a type comes more than once).
create function private.record_save(p_user_id uuid, p_action text, p_entity_type text, p_entity_id uuid, p_details jsonb,
                                    p_ip inet, p_user_agent text, p_tasks jsonb, p_reply jsonb default '{}')
  returns table (audit_log_id uuid, task_ids uuid[], reply jsonb)
  language plpgsql security definer set search_path = '' as $$
declare
  task jsonb;
  place integer;
begin
  -- whoever saves is there, also behind a page that reports no input; not at every save, because it writes one row
  perform private.note_activity(s.id) from public.user_sessions s
    where s.id = nullif(auth.jwt() ->> 'session_id', '')::uuid and s.last_activity_at < public.task_now() - interval '20 seconds';
  audit_log_id := private.write_audit(p_action, p_entity_type, p_entity_id, p_user_id, p_details, p_ip, p_user_agent);
  task_ids := array_fill(null::uuid, array[jsonb_array_length(p_tasks)]);
  -- by key, so that two saves which join the same waiting tasks never wait for one another crosswise
  for task, place in select t.value, t.ordinality from jsonb_array_elements(p_tasks) with ordinality t
                      order by t.value ->> 'once_key', t.value ->> 'task_type', t.ordinality loop
    task_ids[place] := private.create_task(
      task ->> 'entity_type', (task ->> 'entity_id')::uuid, task ->> 'entity_label', task ->> 'task_type', p_user_id, audit_log_id,
      task -> 'args', task ->> 'once_key', (task ->> 'max_attempts')::integer,
      task ->> 'lane', public.task_now() + (task ->> 'delay_s')::double precision * interval '1 second');
  end loop;
  reply := p_reply || jsonb_build_object('task_ids', coalesce((
    select jsonb_object_agg(n.task_type, case when cardinality(n.ids) = 1 then to_jsonb(n.ids[1]) else to_jsonb(n.ids) end)
      from (select t.value ->> 'task_type' as task_type, array_agg(record_save.task_ids[t.ordinality] order by t.ordinality) as ids
              from jsonb_array_elements(p_tasks) with ordinality t group by 1) n), '{}'));
  return next;
end $$;

create function private.prune_clicks() returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  gone integer;
begin
  delete from private.clicks c where c.created_at < public.task_now() - interval '7 days';
  get diagnostics gone = row_count;
  return gone;
end $$;


-- ── The verbs everybody calls ───────────────────────────────────────────────────────────────────────────────────

create function public.create_background_task(entity_type text, entity_id uuid, entity_label text, task_type text,
                                              created_by uuid default null, audit_log_id uuid default null, args jsonb default '{}',
                                              once_key text default null, max_attempts integer default 5, lane text default 'inner',
                                              run_after timestamptz default null) returns uuid
  language sql security invoker set search_path = '' as $$ select private.create_task($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) $$;

create function public.start_background_task(task_id uuid, worker text default null, lease interval default null) returns public.task_move
  language sql security invoker set search_path = '' as $$ select * from private.start_task($1, $2, $3) $$;

create function public.complete_background_task(task_id uuid, result jsonb default null, attempt integer default null) returns public.task_move
  language sql security invoker set search_path = '' as $$ select * from private.complete_task($1, $2, $3) $$;

create function public.fail_background_task(task_id uuid, error_message text, error_code text default null, error_hint text default null,
                                            transient boolean default false, retry_after interval default null,
                                            attempt integer default null, result jsonb default null) returns public.task_move
  language sql security invoker set search_path = '' as $$ select * from private.fail_task($1, $2, $3, $4, $5, $6, $7, $8) $$;

create function public.snooze_background_task(task_id uuid, until timestamptz default null, because text default null,
                                              attempt integer default null, code text default null) returns public.task_move
  language sql security invoker set search_path = '' as $$ select * from private.snooze_task($1, $2, $3, $4, $5) $$;

create function public.retry_background_task(task_id uuid, user_id uuid default null) returns public.task_move
  language sql security invoker set search_path = '' as $$ select * from private.retry_task($1, $2) $$;

create function public.dismiss_background_task(task_id uuid, user_id uuid default null) returns public.task_move
  language sql security invoker set search_path = '' as $$ select * from private.dismiss_task($1, $2) $$;

create function public.undismiss_background_task(task_id uuid, user_id uuid default null) returns public.task_move
  language sql security invoker set search_path = '' as $$ select * from private.undismiss_task($1, $2) $$;

-- Null means the caller, never everybody. "Everybody's" is said in so many words, and only by supervisors and admins.
create function public.dismiss_all_failed_tasks(user_id uuid default null, everybody boolean default false) returns integer
  language sql security invoker set search_path = '' as $$ select count(*)::integer from private.dismiss_all_tasks($1, $2) $$;

create function public.archive_old_tasks(older_than interval default interval '7 days', at_most integer default null) returns integer
  language sql security invoker set search_path = '' as $$ select private.archive_tasks($1, $2) $$;


-- ── What people read ────────────────────────────────────────────────────────────────────────────────────────────
-- All run with the reader's own rights: row-level security below decides which rows they contain.

create view public.user_failed_tasks with (security_invoker = true) as
  select t.id, t.entity_type, t.entity_id, t.entity_label, t.task_type, t.status, t.error_message, t.created_at, t.completed_at, t.created_by,
         t.error_code, t.error_hint, t.started_at, t.attempt, t.max_attempts, t.run_after, t.dismissed_at, t.audit_log_id
    from public.background_tasks t
   where t.status = 'failed' and t.dismissed_at is null and t.superseded_by is null;

create view public.all_failed_tasks with (security_invoker = true) as
  select t.*, u.full_name as created_by_name from public.user_failed_tasks t left join public.users u on u.id = t.created_by;

create view public.task_status_summary with (security_invoker = true) as
  select t.created_by,
         count(*) filter (where t.status = 'failed' and t.dismissed_at is null and t.superseded_by is null) as failed_count,
         count(*) filter (where t.status = 'completed' and t.completed_at > public.task_now() - interval '24 hours') as completed_24h,
         count(*) filter (where t.status = 'pending') as pending_count,
         count(*) filter (where t.status = 'processing') as processing_count
    from public.background_tasks t group by t.created_by;

create view public.failed_tasks_summary with (security_invoker = true) as
  select count(*) as total_failed, count(distinct t.created_by) as users_with_failures,
         min(t.completed_at) as oldest_failure, max(t.completed_at) as newest_failure
    from public.user_failed_tasks t;

create view public.failed_tasks_with_audit with (security_invoker = true) as
  select t.id as task_id, t.entity_type, t.entity_id, t.entity_label, t.task_type, t.error_message,
         t.created_at as task_created_at, t.completed_at as task_failed_at, t.audit_log_id,
         a.action as user_action, a.user_id as action_user_id, a.user_name as action_user_name,
         a.created_at as user_action_time, a.details as action_details
    from public.user_failed_tasks t left join public.audit_logs a on a.id = t.audit_log_id;


-- ── Who may see and do what ─────────────────────────────────────────────────────────────────────────────────────

alter table public.background_tasks enable row level security;
alter table public.background_task_steps enable row level security;
alter table public.background_task_attempts enable row level security;
alter table public.background_tasks_archive enable row level security;

create policy own_tasks_supervisors_all on public.background_tasks for select to authenticated
  using (created_by = (select private.my_id()) or (select private.is_supervisor()));
create policy own_tasks_supervisors_all on public.background_tasks_archive for select to authenticated
  using (created_by = (select private.my_id()) or (select private.is_supervisor()));
create policy steps_of_tasks_one_may_see on public.background_task_steps for select to authenticated
  using (exists (select from public.background_tasks t where t.id = task_id));
create policy attempts_of_tasks_one_may_see on public.background_task_attempts for select to authenticated
  using (exists (select from public.background_tasks t where t.id = task_id));

revoke all on public.background_tasks, public.background_tasks_archive, public.background_task_steps, public.background_task_attempts,
              public.user_failed_tasks, public.all_failed_tasks, public.task_status_summary, public.failed_tasks_summary,
              public.failed_tasks_with_audit from anon, authenticated, service_role;
grant select on public.background_tasks, public.background_tasks_archive, public.background_task_steps, public.background_task_attempts,
                public.user_failed_tasks, public.all_failed_tasks, public.task_status_summary, public.failed_tasks_summary,
                public.failed_tasks_with_audit to authenticated;
grant all on public.background_tasks, public.background_tasks_archive, public.background_task_steps, public.background_task_attempts to service_role;
grant select on public.user_failed_tasks, public.all_failed_tasks, public.task_status_summary, public.failed_tasks_summary,
                public.failed_tasks_with_audit to service_role;

revoke execute on all functions in schema private from public;
revoke execute on function
  public.create_background_task(text, uuid, text, text, uuid, uuid, jsonb, text, integer, text, timestamptz),
  public.start_background_task(uuid, text, interval), public.complete_background_task(uuid, jsonb, integer),
  public.fail_background_task(uuid, text, text, text, boolean, interval, integer, jsonb),
  public.snooze_background_task(uuid, timestamptz, text, integer, text), public.retry_background_task(uuid, uuid),
  public.dismiss_background_task(uuid, uuid), public.undismiss_background_task(uuid, uuid),
  public.dismiss_all_failed_tasks(uuid, boolean), public.archive_old_tasks(interval, integer)
  from public, anon, authenticated, service_role;

-- People look after failures; they create and finish nothing by hand.
grant execute on function public.retry_background_task(uuid, uuid), public.dismiss_background_task(uuid, uuid),
                          public.undismiss_background_task(uuid, uuid), public.dismiss_all_failed_tasks(uuid, boolean),
                          private.retry_task(uuid, uuid), private.dismiss_task(uuid, uuid), private.undismiss_task(uuid, uuid),
                          private.dismiss_all_tasks(uuid, boolean), private.claim_click(uuid, text, text, bytea)
                          to authenticated, service_role;
grant execute on function
  public.create_background_task(text, uuid, text, text, uuid, uuid, jsonb, text, integer, text, timestamptz),
  public.start_background_task(uuid, text, interval), public.complete_background_task(uuid, jsonb, integer),
  public.fail_background_task(uuid, text, text, text, boolean, interval, integer, jsonb),
  public.snooze_background_task(uuid, timestamptz, text, integer, text), public.archive_old_tasks(interval, integer),
  private.create_task(text, uuid, text, text, uuid, uuid, jsonb, text, integer, text, timestamptz),
  private.start_task(uuid, text, interval), private.complete_task(uuid, jsonb, integer),
  private.fail_task(uuid, text, text, text, boolean, interval, integer, jsonb), private.snooze_task(uuid, timestamptz, text, integer, text),
  private.archive_tasks(interval, integer), private.claim_task(uuid, text, interval),
  private.keep_leases(text, interval), private.leave(text), private.sweep_leases(),
  private.recall_step(uuid, integer, text, text), private.keep_step(uuid, integer, text, text, jsonb), private.hold_lease(uuid, integer),
  private.answer_click(uuid, text, text, jsonb),
  private.record_save(uuid, text, text, uuid, jsonb, inet, text, jsonb, jsonb), private.prune_clicks() to service_role;
grant select on private.workers to service_role;

alter publication supabase_realtime add table public.background_tasks;

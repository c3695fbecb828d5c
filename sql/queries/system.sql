-- name: now
select public.task_now() as now

-- name: lanes
-- what each waits for: due, later, running, failed and not dealt with; oldest_s: how long the oldest due one has waited
select t.lane, count(*) filter (where t.status = 'pending' and t.run_after <= public.task_now()) as waiting,
       count(*) filter (where t.status = 'pending' and t.run_after > public.task_now()) as later,
       count(*) filter (where t.status = 'processing') as running, count(*) filter (where t.status = 'failed') as failed,
       extract(epoch from public.task_now() - min(t.run_after) filter (where t.status = 'pending' and t.run_after <= public.task_now())
              )::double precision as oldest_s
  from public.background_tasks t
 where t.status in ('pending', 'processing') or (t.status = 'failed' and t.dismissed_at is null and t.superseded_by is null)
 group by t.lane

-- name: foreign_lanes
select lane, worked_by from private.foreign_lanes

-- name: workers
select w.id, w.started_at, w.seen_at from private.workers w
 where w.stopped_at is null and not starts_with(w.id, 'api:') and w.seen_at > public.task_now() - interval '15 seconds' order by w.started_at, w.id

-- name: services
select * from private.services_seen()

-- name: schedules
select * from private.schedules_seen()

-- name: vital_signs
select * from private.vital_signs()

-- name: figures
select pg_database_size(current_database()) as bytes, current_setting('server_version') as version,
       (select count(*) from public.clients) as clients, (select count(*) from public.drivers) as drivers,
       (select count(*) from public.destinations) as destinations, (select count(*) from public.appointments where purged_at is null) as appointments,
       (select count(*) from public.invoices) as invoices, (select count(*) from public.users where is_active) as users,
       (select count(*) from public.background_tasks) as tasks, (select count(*) from public.background_tasks_archive) as archived,
       (select count(*) from public.audit_logs) as audit_entries, pg_total_relation_size('public.audit_logs') as audit_bytes

-- name: log
-- what went wrong lately, and what the clock had done: newest first
select t.completed_at as timestamp, t.task_type, t.status, t.error_message, t.result, t.entity_type, t.entity_label
  from public.background_tasks t
 where t.completed_at is not null and (t.status = 'failed' or t.entity_type = 'schedule')
 order by t.completed_at desc, t.id limit %(limit)s

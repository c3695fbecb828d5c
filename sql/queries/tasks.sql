-- name: failed_own
select * from public.user_failed_tasks where created_by = %(user)s order by completed_at desc, id limit %(limit)s

-- name: failed_all
select * from public.all_failed_tasks order by completed_at desc, id limit %(limit)s

-- name: summary
select total_failed, users_with_failures, oldest_failure, newest_failure from public.failed_tasks_summary

-- name: by_cause
select error_code, task_type, count(*) as count, max(error_hint) as error_hint, max(error_message) as sample_message,
       min(completed_at) as oldest, max(completed_at) as newest
  from public.user_failed_tasks group by error_code, task_type order by count(*) desc, max(completed_at) desc limit 20

-- name: by_id
select t.*, u.full_name as created_by_name
  from public.background_tasks t left join public.users u on u.id = t.created_by where t.id = %(id)s

-- name: by_ids
select t.*, u.full_name as created_by_name
  from public.background_tasks t left join public.users u on u.id = t.created_by where t.id = any(%(ids)s) order by t.created_at, t.id

-- name: archived
select t.*, u.full_name as created_by_name
  from public.background_tasks_archive t left join public.users u on u.id = t.created_by where t.id = %(id)s

-- name: attempts
select attempt, worker, started_at, finished_at, outcome, error_message, error_code
  from public.background_task_attempts where task_id = %(id)s order by attempt

-- name: steps
select label, attempt, finished_at from public.background_task_steps where task_id = %(id)s order by finished_at

-- name: audit
select action, user_name, role, created_at from public.audit_logs where id = %(id)s

-- name: of_entity
select t.*, u.full_name as created_by_name
  from public.background_tasks t left join public.users u on u.id = t.created_by
 where t.entity_type = %(entity_type)s and t.entity_id = %(entity_id)s order by t.created_at desc, t.id limit 100

-- name: dismiss
select * from public.dismiss_background_task(%(task)s)

-- name: undismiss
select * from public.undismiss_background_task(%(task)s)

-- name: dismiss_all
select x as id from private.dismiss_all_tasks(null, %(everybody)s) x

-- name: retry
select * from public.retry_background_task(%(task)s)

-- name: list
select t.id, t.status, t.task_type, t.entity_type, t.entity_id, t.entity_label, t.attempt, t.max_attempts, t.run_after, t.created_at, t.completed_at,
       t.error_message, t.error_code, t.error_hint, t.dismissed_at, t.leased_by, u.full_name as created_by_name
  from public.background_tasks t left join public.users u on u.id = t.created_by
 where (%(status)s::text is null or t.status = %(status)s) and (%(task_type)s::text is null or t.task_type = %(task_type)s)
   and (%(all)s or t.status <> 'failed' or (t.dismissed_at is null and t.superseded_by is null))
 order by t.created_at desc, t.id limit %(limit)s

-- name: vital_signs
select * from private.vital_signs()

-- name: kind
select (select task_type from public.background_tasks where id = %(id)s) as task_type

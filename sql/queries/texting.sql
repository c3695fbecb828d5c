-- name: now
select public.task_now() as now

-- name: retried_by_a_person
select exists (select from public.background_task_attempts a
                where a.task_id = %(task)s and a.attempt >= %(since)s and a.outcome = 'failed') as retried

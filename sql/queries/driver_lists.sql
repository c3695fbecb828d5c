-- name: around
-- what stands beside drivers in their list: trips still to drive, drive times in a nutshell, the newest task of each type
select d.id,
       (select count(*) from public.appointments a
         where a.driver_assigned = d.id and a.operation_status = 'assigned' and a.deleted_at is null and a.drop_off_time > public.task_now()) as trips_ahead,
       (select jsonb_build_object('count', count(x.duration_minutes), 'without_answer', count(x.error), 'calculated_at', max(x.calculated_at))
          from public.client_drive_times x where x.driver_id = d.id) as drive_times,
       coalesce((
         select jsonb_agg(to_jsonb(n) order by n.task_type) from (
           select distinct on (b.task_type) b.id, b.task_type, b.status, b.error_message, b.error_hint, b.error_code, b.attempt, b.max_attempts,
                  b.run_after, b.created_at, b.completed_at, b.dismissed_at, b.superseded_by, b.created_by
             from public.background_tasks b where b.entity_type = 'driver' and b.entity_id = d.id
            order by b.task_type, b.created_at desc) n), '[]') as tasks
  from public.drivers d where d.id = any(%(ids)s)

-- name: driven
-- who drove how often in the last 30 days, the most first
select d.id, d.name, count(*) as trips
  from public.appointments a join public.drivers d on d.id = a.driver_assigned
 where a.operation_status = 'completed' and a.deleted_at is null
   and a.appointmenttime > public.task_now() - interval '30 days' and a.appointmenttime <= public.task_now()
 group by d.id, d.name order by count(*) desc, d.name, d.id

-- name: unanswered
-- the clients to whom no way was found, with the reason
select x.client_id, c.full_name || ' (' || c.knumber || ')' as client_name, x.error
  from public.client_drive_times x join public.clients c on c.id = x.client_id
 where x.driver_id = %(driver)s and x.error is not null and c.active
 order by lower(c.lastname), lower(c.firstname), c.id limit 20

-- name: changes
-- who saved what, newest first: the entries of the audit log that the reader may see. Only names of fields, no values
select a.action, a.user_name, a.role, a.created_at, a.details -> 'fields_updated' as fields
  from public.audit_logs a
 where a.entity_type = 'driver' and a.entity_id = %(driver)s and a.success and a.action not like 'view%%'
 order by a.created_at desc, a.id limit 50

-- name: mine
select private.my_driver() as id

-- name: basics
select id, id as driver_id, first_name, last_name, name, name as driver_name, phone, work_phone, email, gender, active
  from public.drivers order by name, id

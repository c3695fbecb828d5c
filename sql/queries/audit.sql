-- name: entries
-- followed by the conditions (where_…) that were asked for, and by `newest`
select a.seq, a.id, a.created_at, a.action, a.entity_type, a.entity_id, a.user_id, a.user_name, a.role, a.details,
       host(a.ip_address) as ip_address, a.user_agent, a.success, a.error_message
  from public.audit_logs a

-- name: newest
order by a.seq desc limit %(limit)s

-- name: where_before
a.seq < %(before)s

-- name: where_since
a.created_at >= %(since)s

-- name: where_until
a.created_at < %(until)s

-- name: where_who
a.user_id = %(who)s

-- name: where_name
(a.user_id = any(%(named_users)s) or a.user_name = any(%(names)s))

-- name: where_actions
a.action = any(%(actions)s)

-- name: where_entity_type
a.entity_type = %(entity_type)s

-- name: where_entity_id
a.entity_id = %(entity_id)s

-- name: where_refused
not a.success

-- name: where_words
-- in what the entry says, or in the name of the record it is about
(a.error_message ilike %(words)s or host(a.ip_address) ilike %(words)s or a.entity_id = any(%(named_records)s)
 or exists (select from jsonb_each_text(case jsonb_typeof(a.details) when 'object' then a.details else '{}' end) d where d.value ilike %(words)s))

-- name: where_about_user
-- by that person, or done to their account
(a.user_id = %(about)s or (a.entity_type = 'user' and a.entity_id = %(about)s))

-- name: where_about_record
-- done to the record, to one that belongs to it, or to the work that followed from either
((a.entity_type = any(%(about_types)s) and a.entity_id = any(%(about_ids)s))
 or (a.entity_type = 'background_task' and a.entity_id = any(array(
      select t.id from public.background_tasks t where t.entity_type = any(%(about_types)s) and t.entity_id = any(%(about_ids)s)
      union all
      select t.id from public.background_tasks_archive t where t.entity_type = any(%(about_types)s) and t.entity_id = any(%(about_ids)s)))))

-- name: names
-- Who is meant by a part of a name: the users who are called so now, and the names under which entries were written. The
-- names are found by leaps through their index, from each to the next, since there are few of them and many entries.
with recursive written (name) as (
  (select a.user_name from public.audit_logs a order by a.user_name limit 1)
  union all
  select (select a.user_name from public.audit_logs a where a.user_name > w.name order by a.user_name limit 1)
    from written w where w.name is not null)
select array(select u.id from public.users u where u.full_name ilike %(name)s or u.username ilike %(name)s) as named_users,
       array(select w.name from written w where w.name ilike %(name)s) as names

-- name: actions
-- those that are in the log, found the same way
with recursive written (action) as (
  (select a.action from public.audit_logs a order by a.action limit 1)
  union all
  select (select a.action from public.audit_logs a where a.action > w.action order by a.action limit 1)
    from written w where w.action is not null)
select w.action from written w where w.action is not null

-- name: work_after
select t.audit_log_id, t.id, t.task_type, t.status, t.created_at from public.background_tasks t where t.audit_log_id = any(%(ids)s)
union all
select t.audit_log_id, t.id, t.task_type, t.status, t.created_at from public.background_tasks_archive t where t.audit_log_id = any(%(ids)s)
 order by created_at, task_type, id

-- name: users
select id, full_name from public.users where id = any(%(ids)s)

-- name: tasks
select id, task_type, entity_label from public.background_tasks where id = any(%(ids)s)
union all
select id, task_type, entity_label from public.background_tasks_archive where id = any(%(ids)s)

-- name: note_check
insert into private.audit_checks (entries, last_seal, digest, broken_seq, why)
values (%(entries)s, %(last_seal)s, %(digest)s, %(broken_seq)s, %(why)s)
returning check_no, checked_at

-- name: last_whole_check
select checked_at, entries, digest from private.audit_checks where why is null order by check_no desc limit 1

-- name: last_check
select checked_at, broken_seq, why from private.audit_checks order by check_no desc limit 1

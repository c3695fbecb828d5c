-- Reminders: a schedule that repeats, and asks first. What the page of the system's health shows. Which login is whose, in the list of users.

create index appointments_to_remind_of on public.appointments (pickuptime) where operation_status = 'assigned' and deleted_at is null;

alter table private.services
  add column answered_at timestamptz,                   -- it last did its work; noted now and then, not at every call
  add column failed_at timestamptz,                     -- it last did not
  add column failed_because text,
  add constraint a_failure_says_why check ((failed_at is null) = (failed_because is null));

-- How it went, for whoever asks after a service's health. p_because: why it did not do its work; null where it did.
create function private.note_service(p_service text, p_because text default null) returns void
  language sql security definer set search_path = '' as $$
  update private.services s
     set answered_at = case when p_because is null then public.task_now() else s.answered_at end,
         failed_at = case when p_because is null then s.failed_at else public.task_now() end,
         failed_because = coalesce(p_because, s.failed_because)
   where s.name = p_service
$$;

alter table private.schedules
  add column every interval,                            -- of a repeated one; a daily one has none
  add column wanted text,                               -- the function in `private` that says whether there is anything to do
  add column looked_at timestamptz,                     -- when a repeated one was last due
  add constraint repeats_in_time check (every >= interval '1 minute'),
  add constraint asks_a_function check (wanted ~ '^[a-z_]+$'),
  add constraint repeated_or_daily check ((every is null) = (wanted is null));

create function private.repeat_task(p_name text, p_task_type text, p_label text, p_every interval, p_wanted text, p_time_zone text) returns void
  language sql security definer set search_path = '' as $$
  insert into private.schedules (name, task_type, label, at_time, time_zone, every, wanted)
  values (p_name, p_task_type, p_label, '00:00', p_time_zone, p_every, p_wanted)
  on conflict (name) do update set task_type = excluded.task_type, label = excluded.label, every = excluded.every, wanted = excluded.wanted,
                                   time_zone = excluded.time_zone
$$;

create or replace function private.run_schedules() returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  due private.schedules;
  wanted boolean;
  started integer := 0;
begin
  for due in select s.* from private.schedules s
              where case when s.every is null
                         then (public.task_now() at time zone s.time_zone)::time >= s.at_time
                              and (s.last_date is null or s.last_date < (public.task_now() at time zone s.time_zone)::date)
                         else s.looked_at is null or s.looked_at <= public.task_now() - s.every end
                for update skip locked loop
    update private.schedules s
       set last_date = case when s.every is null then (public.task_now() at time zone s.time_zone)::date end,
           looked_at = case when s.every is not null then public.task_now() end
     where s.name = due.name;
    wanted := true;
    if due.wanted is not null then
      begin
        execute format('select private.%I()', due.wanted) into wanted;
      exception when others then
        raise warning 'schedule %: %', due.name, sqlerrm;
        wanted := true;                               -- the sweep goes on; the task meets the same error, where people see it
      end;
    end if;
    continue when not coalesce(wanted, false);
    perform private.create_task('schedule', md5('schedule:' || due.name)::uuid, due.label, due.task_type, null, null,
                                '{}', 'schedule:' || due.name, 5, 'inner', null);
    started := started + 1;
  end loop;
  return started;
end $$;

-- What the page of the system's health shows of them, past what vital_signs says in a line.
create function private.services_seen()
  returns table (name text, per_second double precision, answered_at timestamptz, failed_at timestamptz, failed_because text,
                 held_since timestamptz, held_until timestamptz, held_because text)
  language sql stable security definer set search_path = '' as $$
  select s.name, s.per_second, s.answered_at, s.failed_at, s.failed_because, s.held_since, s.held_until, s.held_because
    from private.services s order by s.name
$$;

-- last_status, last_at: of the last task it made. next_at: when it is due again, by today's settings; null for never.
create function private.schedules_seen()
  returns table (name text, task_type text, label text, every_s double precision, at_time time, looked_at timestamptz, last_at timestamptz,
                 last_status text, last_result jsonb, last_error text, next_at timestamptz)
  language sql stable security definer set search_path = '' as $$
  select s.name, s.task_type, s.label, extract(epoch from s.every)::double precision, case when s.every is null then s.at_time end, s.looked_at,
         t.created_at, t.status, t.result, t.error_message,
         case when s.last_date = 'infinity' then null     -- left to somebody else
              when s.every is not null then greatest(coalesce(s.looked_at + s.every, public.task_now()), public.task_now())
              when s.last_date < n.today or (s.last_date is null and n.at_now >= s.at_time) then greatest((n.today + s.at_time) at time zone s.time_zone, public.task_now())
              when s.last_date is null then (n.today + s.at_time) at time zone s.time_zone
              else (n.today + 1 + s.at_time) at time zone s.time_zone end
    from private.schedules s
   cross join lateral (select (public.task_now() at time zone s.time_zone)::date as today, (public.task_now() at time zone s.time_zone)::time as at_now) n
    left join lateral (
      select a.created_at, a.status, a.result, a.error_message
        from (select b.created_at, b.status, b.result, b.error_message from public.background_tasks b
               where b.entity_type = 'schedule' and b.entity_id = md5('schedule:' || s.name)::uuid and b.task_type = s.task_type
              union all
              select b.created_at, b.status, b.result, b.error_message from public.background_tasks_archive b
               where b.entity_type = 'schedule' and b.entity_id = md5('schedule:' || s.name)::uuid and b.task_type = s.task_type) a
       order by a.created_at desc limit 1) t on true
   order by s.name
$$;

-- When a reminder goes out: so many hours before the pickup. Outside the hours in which the office reminds: at their beginning, if
-- that is half an hour before the pickup still; else in the last half-hour of the evening before. Nobody is left to the last ten
-- minutes of those hours: who looks every few minutes would come too late.
create or replace function private.reminder_time(p_pickup timestamptz, p_hours integer, p_start time, p_end time) returns timestamptz
  language sql immutable set search_path = '' as $$
  select (case when t.at::time > p_end - interval '10 minutes' then t.at::date + (p_end - interval '30 minutes')
               when t.at::time >= p_start then t.at
               when (t.at::date + p_start) at time zone private.office_zone() < p_pickup - interval '30 minutes' then t.at::date + p_start
               else t.at::date - 1 + (p_end - interval '30 minutes') end) at time zone private.office_zone()
    from (select (p_pickup - p_hours * interval '1 hour') at time zone private.office_zone() as at) t
$$;

create index messages_reminded on public.messages (updated_at) where kind = 'reminder' and state = 'sent';

-- Whether anybody is: what the schedule asks every few minutes.
create function private.reminders_wait() returns boolean
  language sql stable security definer set search_path = '' as $$ select exists (select from private.reminders_due()) $$;

drop function private.list_users();
-- Everybody, as administrators see them: with their locks, open sessions, and until when a temporary password is good.
create function private.list_users()
  returns table (id uuid, username text, full_name text, email text, phone text, role text, is_active boolean, must_change_password boolean,
                 last_login timestamptz, created_at timestamptz, failed_login_attempts integer, locked_until timestamptz, open_sessions integer,
                 temporary_until timestamptz, driver_id uuid, client_id uuid, linked_to text)
  language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.must_manage_users();
  return query
    select u.id, u.username, u.full_name, u.email, u.phone, u.role, u.is_active, u.must_change_password, u.last_login, u.created_at,
           coalesce(g.failed, 0), g.locked_until,
           (select count(*)::integer from private.open_sessions(u.id)), c.temporary_until, u.driver_id, u.client_id,
           coalesce((select d.name from public.drivers d where d.id = u.driver_id),
                    (select k.full_name || ' (' || k.knumber || ')' from public.clients k where k.id = u.client_id))
      from public.users u
      left join private.credentials c on c.user_id = u.id
      left join lateral (
        select sum(x.failed)::integer as failed, max(x.locked_until) filter (where x.locked_until > public.task_now()) as locked_until
          from private.sign_in_guesses x where x.name_hash = private.name_hash(u.username)) g on true
     order by lower(u.full_name), u.id;
end $$;

revoke execute on function private.note_service(text, text), private.repeat_task(text, text, text, interval, text, text), private.services_seen(),
                           private.schedules_seen(), private.reminders_wait(), private.list_users() from public;
grant execute on function private.list_users() to authenticated, service_role;
grant execute on function private.note_service(text, text), private.repeat_task(text, text, text, interval, text, text), private.services_seen(),
                          private.schedules_seen(), private.reminders_wait() to service_role;

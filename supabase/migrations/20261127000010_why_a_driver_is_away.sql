-- Why a driver is away could be read by whoever books trips: policies are by row. It gets a row of its own, and driver_time_off becomes
-- the view of both, with the columns and rights it had, so that a program of the version before goes on as it is.

-- All at once, before anything is read: else what is entered meanwhile were lost, and requests that hold one would wait for another.
do $$ begin lock table public.users, public.drivers, public.driver_time_off in access exclusive mode; end $$;

-- When a driver is away, or there although the weekly hours say otherwise. One stretch, from a day (and time) to a day (and time).
-- Read and written as driver_time_off, below.
create table public.driver_schedule_exceptions (
  id         uuid primary key default gen_random_uuid(),
  driver_id  uuid not null references public.drivers on delete cascade,
  entry_type text not null default 'time_off',
  start_date date not null,
  end_date   date not null,
  all_day    boolean not null default true,
  start_time time,
  end_time   time,
  created_by uuid references public.users,
  created_at timestamptz not null default public.task_now(),
  during     tstzrange not null generated always as (
    tstzrange((start_date + coalesce(start_time, '00:00')) at time zone private.office_zone(),
              (case when all_day then (end_date + 1)::timestamp else end_date + end_time end) at time zone private.office_zone())) stored,
  constraint known_entry      check (entry_type in ('time_off', 'override_available')),
  constraint all_day_or_times check (case when all_day then num_nonnulls(start_time, end_time) = 0 else num_nulls(start_time, end_time) = 0 end),
  constraint ends_after_start check (end_date >= start_date and (all_day or end_date + end_time > start_date + start_time)),
  constraint no_longer_than_a_year check (end_date - start_date <= 366)
);
create index driver_schedule_exceptions_driver on public.driver_schedule_exceptions (driver_id, end_date);
create index driver_schedule_exceptions_created_by on public.driver_schedule_exceptions (created_by);

-- Why: it may be about somebody's health, so it is a row of its own, which those who book trips do not get.
create table public.driver_time_off_reasons (
  exception_id uuid primary key references public.driver_schedule_exceptions on delete cascade,
  reason       text not null
);

insert into public.driver_schedule_exceptions (id, driver_id, entry_type, start_date, end_date, all_day, start_time, end_time, created_by, created_at)
select id, driver_id, entry_type, start_date, end_date, all_day, start_time, end_time, created_by, created_at from public.driver_time_off;
insert into public.driver_time_off_reasons (exception_id, reason) select id, reason from public.driver_time_off where reason is not null;
drop table public.driver_time_off;

create trigger driver_schedule_exceptions_sign before insert on public.driver_schedule_exceptions
  for each row execute function private.sign_time_off();

-- Both tables as one, under the name and with the columns that the portal knows. `reason` is null for those who may not know it.
create view public.driver_time_off with (security_invoker = true) as
  select e.id, e.driver_id, e.entry_type, e.start_date, e.end_date, e.all_day, e.start_time, e.end_time, r.reason, e.created_by, e.created_at, e.during
    from public.driver_schedule_exceptions e left join public.driver_time_off_reasons r on r.exception_id = e.id;
alter view public.driver_time_off alter column id set default gen_random_uuid();
alter view public.driver_time_off alter column entry_type set default 'time_off';
alter view public.driver_time_off alter column all_day set default true;
alter view public.driver_time_off alter column created_at set default public.task_now();

-- As whoever writes: the policies of the tables decide.
create function private.write_time_off() returns trigger
  language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' then
    delete from public.driver_schedule_exceptions e where e.id = old.id;
    if not found then
      return null;                                    -- not theirs to remove: no row was touched
    end if;
    return old;
  elsif tg_op = 'INSERT' then
    insert into public.driver_schedule_exceptions
           (id, driver_id, entry_type, start_date, end_date, all_day, start_time, end_time, created_by, created_at)
    values (new.id, new.driver_id, new.entry_type, new.start_date, new.end_date, new.all_day, new.start_time, new.end_time, new.created_by,
            new.created_at)
    returning created_by, during into new.created_by, new.during;
  else
    update public.driver_schedule_exceptions e
       set (driver_id, entry_type, start_date, end_date, all_day, start_time, end_time)
         = (new.driver_id, new.entry_type, new.start_date, new.end_date, new.all_day, new.start_time, new.end_time)
     where e.id = old.id
     returning e.id, e.created_by, e.created_at, e.during into new.id, new.created_by, new.created_at, new.during;
    if not found then
      return null;
    end if;
  end if;
  if new.reason is null then
    delete from public.driver_time_off_reasons r where r.exception_id = new.id;
  else
    insert into public.driver_time_off_reasons as r (exception_id, reason) values (new.id, new.reason)
    on conflict (exception_id) do update set reason = excluded.reason where r.reason <> excluded.reason;
  end if;
  return new;
end $$;
create trigger driver_time_off_write instead of insert or update or delete on public.driver_time_off
  for each row execute function private.write_time_off();

alter table public.driver_schedule_exceptions enable row level security;
alter table public.driver_time_off_reasons enable row level security;

create policy staff_and_the_driver_read_time_off on public.driver_schedule_exceptions for select to authenticated
  using ((select private.is_staff()) or driver_id = (select private.my_driver()));
create policy managers_and_the_driver_add_time_off on public.driver_schedule_exceptions for insert to authenticated
  with check ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))));
create policy managers_and_the_driver_change_time_off on public.driver_schedule_exceptions for update to authenticated
  using ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))))
  with check ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))));
create policy managers_and_the_driver_remove_time_off on public.driver_schedule_exceptions for delete to authenticated
  using ((select private.may('manage_drivers')) or (driver_id = (select private.my_driver()) and (select private.may('manage_own_schedule'))));
create policy managers_and_the_driver_know_why on public.driver_time_off_reasons to authenticated
  using ((select private.may('manage_drivers'))
         or ((select private.may('manage_own_schedule'))
             and exception_id in (select e.id from public.driver_schedule_exceptions e where e.driver_id = (select private.my_driver()))))
  with check ((select private.may('manage_drivers'))
         or ((select private.may('manage_own_schedule'))
             and exception_id in (select e.id from public.driver_schedule_exceptions e where e.driver_id = (select private.my_driver()))));

revoke all on public.driver_schedule_exceptions, public.driver_time_off_reasons, public.driver_time_off from anon, authenticated, service_role;
grant select, insert, update, delete on public.driver_schedule_exceptions, public.driver_time_off_reasons, public.driver_time_off to authenticated;
grant all on public.driver_schedule_exceptions, public.driver_time_off_reasons, public.driver_time_off to service_role;
revoke execute on function private.write_time_off() from public;

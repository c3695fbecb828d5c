-- A driver who is not free is told at the field where the driver is chosen.

-- Looks while it holds the driver's row: what another transaction is just assigning is seen, or waits for us.
create or replace function private.guard_driver() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  clashes text;
begin
  if new.driver_assigned is null or new.operation_status not in ('assigned', 'completed') or new.deleted_at is not null then
    return new;
  end if;
  if tg_op = 'UPDATE' and (new.driver_assigned, new.pickuptime, new.drop_off_time) is not distinct from (old.driver_assigned, old.pickuptime, old.drop_off_time)
     and old.operation_status in ('assigned', 'completed') and old.deleted_at is null then
    return new;
  end if;
  perform from public.drivers d where d.id = new.driver_assigned for no key update;
  select string_agg(case c.kind when 'inactive' then c.label
                                else initcap(left(c.kind, 1)) || replace(substr(c.kind, 2), '_', ' ') || ' ' || private.clock_times(c.during)
                                     || case when c.kind = 'trip' then format(' (%s)', c.label) else '' end end, '; ' order by lower(c.during), c.id)
    into clashes
    from private.driver_conflicts(new.driver_assigned, tstzrange(new.pickuptime, new.drop_off_time), new.id) c where c.hard;
  if clashes is not null then
    raise exception 'the driver is not free from %', replace(private.clock_times(tstzrange(new.pickuptime, new.drop_off_time)), '–', ' to ')
      using errcode = 'BT409', detail = clashes || '.', hint = 'Choose another driver or another time.', column = 'driver_assigned';
  end if;
  return new;
end $$;

-- Weekly hours that lie within the hour the clocks skip made a range that ends before it begins, and so no list of drivers at all.

create or replace function private.hours_on(p_week jsonb, p_day date) returns tstzrange
  language sql immutable set search_path = '' as $$
  select case when (d.hours ->> 'available')::boolean then
           tstzrange(o.starts, greatest(o.starts, o.ends)) end   -- hours within those that the clocks skip come out as none
    from (select p_week -> private.weekday(p_day) as hours) d,
         lateral (select (p_day + (d.hours ->> 'start')::time) at time zone private.office_zone() as starts,
                         (p_day + (d.hours ->> 'end')::time) at time zone private.office_zone() as ends) o
$$;

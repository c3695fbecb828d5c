-- Who says that a trip was driven, or was not after all: administrators alone. Supervisors assign, and take up what was cancelled.

insert into private.role_permissions (role, permission) values ('admin', 'set_trip_status');
update private.status_moves set permission = 'set_trip_status' where (before, after) in (('assigned', 'completed'), ('completed', 'assigned'));

-- What a role may change, of people only. What n8n and the tasks do, they do for somebody who was asked already.
create or replace function private.guard_appointment_rights() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  made constant boolean := tg_op = 'INSERT';
  needed text;
  what text;
begin
  if not private.is_person() then
    return new;
  end if;
  if (case when made then new.driver_assigned is not null else new.driver_assigned is distinct from old.driver_assigned end) then
    what := 'change the driver'; needed := 'assign_drivers';
  elsif not made and new.managed_by is distinct from old.managed_by then
    what := 'change the managing agent'; needed := 'assign_drivers';
  elsif made and new.managed_by is distinct from auth.uid() and new.managed_by is not null then
    what := 'choose another managing agent'; needed := 'assign_drivers';
  elsif (case when made then new.invoice_status <> 'not_ready' else new.invoice_status <> old.invoice_status end) then
    what := 'say what is ready for an invoice'; needed := 'view_costs';
  elsif made and (new.operation_status <> 'pending' or new.deleted_at is not null) then
    what := 'book a trip that is over'; needed := 'assign_drivers';
  elsif not made and new.purged_at is not null and old.purged_at is null then
    what := 'delete appointments for good'; needed := 'hard_delete_appointments';
  elsif not made and new.deleted_at is null and old.deleted_at is not null then
    what := 'restore archived appointments'; needed := 'assign_drivers';
  elsif not made and new.deleted_at is not null and old.deleted_at is null then
    what := 'archive appointments'; needed := 'delete_appointments';
  end if;
  if needed is null or private.may(needed) then
    needed := case when made then case new.operation_status when 'completed' then 'set_trip_status' end
                   when new.operation_status <> old.operation_status
                   then (select m.permission from private.status_moves m where m.before = old.operation_status and m.after = new.operation_status) end;
    what := 'change the status';
  end if;
  if needed is not null and not private.may(needed) then
    raise exception 'you may not %', what using errcode = 'BT403', detail = 'Your role does not include it.',
      hint = case needed when 'set_trip_status' then 'Ask an administrator.' else 'Ask a supervisor.' end;
  end if;
  if made or new.operation_status <> old.operation_status then
    new.cancelled_by := case when new.operation_status = 'cancelled' then auth.uid() end;
  else   -- what is stamped stays
    new.cancelled_by := old.cancelled_by;
    new.cancelled_at := old.cancelled_at;
    new.completed_at := old.completed_at;
  end if;
  if new.deleted_at is not null and (made or old.deleted_at is null) then
    new.deleted_by := auth.uid();
  end if;
  return new;
end $$;

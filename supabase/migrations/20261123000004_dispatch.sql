-- The office's own records: clients, drivers, destinations, and the drive times between them.
--
-- Column names are those the portal has always used (data model, section 2), so that its queries and exports keep working;
-- every record is known by a UUID, and the office's own client number, the K number, stays a column of its own.
-- Needs users_schema.sql. Row-level security: staff read and write; drivers and clients see none of this yet.

create table public.drivers (
  id                 uuid primary key default gen_random_uuid(),
  first_name         text not null,
  last_name          text not null,
  name               text not null generated always as (first_name || ' ' || last_name) stored,
  email              text not null,
  phone              text,
  gender             text,
  active             boolean not null default true,
  home_address       text,
  home_city          text,
  home_province      text default 'NS',
  home_postal_code   text,
  home_latitude      double precision,
  home_longitude     double precision,
  created_at         timestamptz not null default public.task_now(),
  updated_at         timestamptz not null default public.task_now(),
  constraint known_gender check (gender in ('male', 'female', 'non-binary', 'other')),
  constraint a_point_has_two_numbers check ((home_latitude is null) = (home_longitude is null)),
  constraint on_this_planet check (home_latitude between -90 and 90 and home_longitude between -180 and 180)
);
create unique index drivers_email_key on public.drivers (lower(email));

create table public.destinations (
  id          uuid primary key default gen_random_uuid(),
  name        text not null,
  address     text not null,
  city        text,
  province    text,
  postal_code text,
  phone       text,
  notes       text,
  latitude    double precision,
  longitude   double precision,
  active      boolean not null default true,
  created_at  timestamptz not null default public.task_now(),
  updated_at  timestamptz not null default public.task_now(),
  constraint a_point_has_two_numbers check ((latitude is null) = (longitude is null))
);
create unique index destinations_name_key on public.destinations (lower(name));

create table public.clients (
  id                       uuid primary key default gen_random_uuid(),
  knumber                  text not null,
  firstname                text not null,
  lastname                 text not null,
  full_name                text not null generated always as (firstname || ' ' || lastname) stored,
  phone                    text not null,             -- E.164
  email                    text,
  civicaddress             text not null,
  city                     text not null,
  prov                     text not null,
  postalcode               text not null,
  mapaddress               text,
  secondary_civic_address  text,
  secondary_city           text,
  secondary_province       text,
  secondary_postal_code    text,
  secondary_address_notes  text,
  emergency_contact_name   text,
  emergency_contact_number text,
  notes                    text,
  appointment_length       integer not null default 120,   -- minutes
  primary_clinic_id        uuid references public.destinations on delete set null,
  active                   boolean not null default true,
  status                   text not null default 'active',
  home_latitude            double precision,          -- where the map service places the civic address
  home_longitude           double precision,
  home_precision           text,                      -- exact, or approximate: then a person should check the address
  openphone_contact_id     text,                      -- the contact in Quo
  openphone_sync_date      timestamptz,
  created_at               timestamptz not null default public.task_now(),
  updated_at               timestamptz not null default public.task_now(),
  constraint k_number            check (knumber ~ '^K[0-9]{7}$'),
  constraint has_a_name          check (btrim(firstname) <> '' and btrim(lastname) <> ''),
  constraint phone_is_e164       check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  constraint postal_code         check (postalcode ~ '^[A-Z][0-9][A-Z] [0-9][A-Z][0-9]$'),
  constraint length_is_sane      check (appointment_length between 15 and 480),
  constraint known_status        check (status in ('active', 'inactive', 'archived')),
  constraint second_address_whole check (num_nulls(secondary_civic_address, secondary_city, secondary_province, secondary_postal_code) in (0, 4)),
  constraint known_precision     check (home_precision in ('exact', 'approximate')),
  constraint placed_as_a_whole   check (num_nulls(home_latitude, home_longitude, home_precision) in (0, 3))
);
create unique index clients_knumber_key on public.clients (knumber);
create index clients_by_name on public.clients (lower(lastname), lower(firstname), id);
create index clients_primary_clinic on public.clients (primary_clinic_id);

-- An address that changed is placed anew: coordinates never outlive the address they belong to.
create function private.forget_place() returns trigger
  language plpgsql set search_path = '' as $$
begin
  new.home_latitude := null;
  new.home_longitude := null;
  new.home_precision := null;
  return new;
end $$;
create trigger clients_forget_place before update on public.clients
  for each row when ((old.civicaddress, old.city, old.prov, old.postalcode) is distinct from (new.civicaddress, new.city, new.prov, new.postalcode)
                     and (old.home_latitude, old.home_longitude) is not distinct from (new.home_latitude, new.home_longitude))
  execute function private.forget_place();

-- How long each driver takes to each client. A pair without an answer says why, and does not fail the rest.
create table public.client_drive_times (
  client_id        uuid not null references public.clients on delete cascade,
  driver_id        uuid not null references public.drivers on delete cascade,
  duration_minutes integer,                           -- whole minutes, rounded up
  distance_km      numeric(8, 2),
  error            text,
  source           text not null,                     -- who measured: google, google stand-in, …
  calculated_at    timestamptz not null default public.task_now(),
  primary key (client_id, driver_id),
  constraint an_answer_or_a_reason check ((duration_minutes is null) = (error is not null)),
  constraint minutes_are_positive check (duration_minutes >= 0)
);
create index client_drive_times_driver on public.client_drive_times (driver_id);

alter table public.clients enable row level security;
alter table public.drivers enable row level security;
alter table public.destinations enable row level security;
alter table public.client_drive_times enable row level security;

create policy staff_read_clients on public.clients for select to authenticated using ((select private.is_staff()));
create policy staff_add_clients on public.clients for insert to authenticated with check ((select private.is_staff()));
create policy staff_change_clients on public.clients for update to authenticated
  using ((select private.is_staff())) with check ((select private.is_staff()));
create policy staff_read_drivers on public.drivers for select to authenticated using ((select private.is_staff()));
create policy staff_read_destinations on public.destinations for select to authenticated using ((select private.is_staff()));
create policy staff_read_drive_times on public.client_drive_times for select to authenticated using ((select private.is_staff()));

revoke all on public.clients, public.drivers, public.destinations, public.client_drive_times from anon, authenticated, service_role;
grant select, insert, update on public.clients to authenticated;
grant select on public.drivers, public.destinations, public.client_drive_times to authenticated;
grant all on public.clients, public.drivers, public.destinations, public.client_drive_times to service_role;

revoke execute on function private.forget_place() from public;

package testkit

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// postgresEnv names the address, postgres://..., of a PostgreSQL database in
// which tests may make schemas; scripts/postgres.sh sets it.
const postgresEnv = "PORCHLIGHT_TEST_POSTGRES"

// OnPostgres says whether there is a PostgreSQL server for tests. Servers that
// this package starts then keep their data there.
func OnPostgres() bool { return os.Getenv(postgresEnv) != "" }

// Postgres gives the address of an empty schema of the test's own, which goes
// with the test. It skips the test where no server is set for it.
func Postgres(t testing.TB) string {
	t.Helper()
	if !OnPostgres() {
		t.Skipf("%s is not set: scripts/postgres.sh go test ... sets it", postgresEnv)
	}
	return PostgresAt(t, os.Getenv(postgresEnv))
}

// PostgresAt is Postgres on a server of the test's own.
func PostgresAt(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("%s: %v", postgresEnv, err)
	}
	query := u.Query()
	query.Del("search_path")
	u.RawQuery = query.Encode()
	address, schema := u.String(), "test_"+strings.ToLower(rand.Text())
	execAt(t, address, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { execAt(t, address, "DROP SCHEMA "+schema+" CASCADE") })
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

// copyPostgres gives the address of another schema with what that one holds
// now, which is what a crash at this moment would leave.
func copyPostgres(t testing.TB, address string) string {
	t.Helper()
	another := PostgresAt(t, address)
	execAt(t, address, `DO $$ DECLARE name text; BEGIN
		FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
			EXECUTE format('CREATE TABLE `+schemaOf(t, another)+`.%I (LIKE %I INCLUDING ALL)', name, name);
			EXECUTE format('INSERT INTO `+schemaOf(t, another)+`.%I SELECT * FROM %I', name, name);
		END LOOP; END $$`)
	return another
}

func schemaOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("search_path")
}

// execAt runs one statement on a connection of its own: the test may be in a
// bubble, which connections do not leave.
func execAt(t testing.TB, address, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // nothing is left to lose
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

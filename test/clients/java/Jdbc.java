// PostgreSQL's JDBC driver. See drivers/common.py, which does the same for Python.

import java.io.*;
import java.lang.annotation.*;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.PGStatement;
import org.postgresql.copy.*;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

public final class Jdbc {
	@Retention(RetentionPolicy.RUNTIME)
	@interface Case {
		boolean session() default false;
	}

	record Me(int number, String who) { }

	interface Body {
		Object run(Connection c) throws Exception;
	}

	interface Act {
		void run() throws Exception;
	}

	static final Map<String, String> ENV = System.getenv();
	static final String MODE = ENV.get("CLIENT_MODE");
	static final int USERS = Integer.parseInt(ENV.get("CLIENT_USERS"));
	static final String URL = "jdbc:postgresql://" + ENV.get("CLIENT_HOST") + ":" + ENV.get("CLIENT_PORT") + "/" + ENV.get("CLIENT_DATABASE");

	// ---- what cases use ----

	/** More: name, value, name, value … */
	static Connection connect(String... more) throws SQLException {
		Properties p = new Properties();
		p.setProperty("user", ENV.get("CLIENT_USER"));
		p.setProperty("password", ENV.get("CLIENT_PASSWORD"));
		p.setProperty("sslmode", "disable");
		p.setProperty("connectTimeout", "20");
		for (int i = 0; i < more.length; i += 2)
			p.setProperty(more[i], more[i + 1]);
		return DriverManager.getConnection(URL, p);
	}

	static Object connected(Body body, String... more) throws Exception {
		try (Connection c = connect(more)) {
			return body.run(c);
		}
	}

	static Object value(Connection c, String sql, Object... args) throws SQLException {
		try (PreparedStatement s = c.prepareStatement(sql)) {
			return value(s, args);
		}
	}

	static Object value(PreparedStatement s, Object... args) throws SQLException {
		for (int i = 0; i < args.length; i++)
			s.setObject(i + 1, args[i]);
		try (ResultSet r = s.executeQuery()) {
			r.next();
			return r.getObject(1);
		}
	}

	static int update(Connection c, String sql, Object... args) throws SQLException {
		try (PreparedStatement s = c.prepareStatement(sql)) {
			for (int i = 0; i < args.length; i++)
				s.setObject(i + 1, args[i]);
			return s.executeUpdate();
		}
	}

	static void same(Object got, Object want) {
		String a = json(got), b = json(want);
		if (!a.equals(b))
			throw new AssertionError("got " + cut(a, 300) + ", not " + cut(b, 300));
	}

	static SQLException fails(Act act) throws Exception {
		try {
			act.run();
		} catch (SQLException e) {
			return e;
		}
		throw new AssertionError("did not fail");
	}

	static List<Object> told(SQLException e) {
		ServerErrorMessage m = e instanceof PSQLException p ? p.getServerErrorMessage() : null;
		if (m == null)
			return Arrays.asList(e.getSQLState(), e.getMessage());
		return Arrays.asList(e.getSQLState(), m.getSeverity(), m.getMessage(), m.getDetail(), m.getHint(), m.getPosition(), m.getWhere(), m.getTable(), m.getConstraint());
	}

	// ---- cases ----

	@Case
	static Object connecting(Me me) throws Exception {
		return connected(c -> {
			DatabaseMetaData d = c.getMetaData();
			PGConnection p = c.unwrap(PGConnection.class);
			same(value(c, "SHOW application_name"), "app-" + me.number());
			return Arrays.asList(d.getDatabaseProductVersion(), d.getUserName(), c.isValid(5), c.getAutoCommit(), c.getTransactionIsolation(), c.getSchema(),
				c.getCatalog(), p.getParameterStatus("client_encoding"), p.getParameterStatus("DateStyle"), p.getParameterStatus("TimeZone"),
				c.getClientInfo("ApplicationName").equals("app-" + me.number()));
		}, "ApplicationName", "app-" + me.number());
	}

	static final String TYPED = "SELECT ?::int AS i, ?::bigint AS b, ?::numeric AS n, ?::float8 AS f, ?::text AS t, ?::bytea AS y, ?::timestamptz AS z, ?::date AS d,"
		+ " ?::json::text AS j, ?::uuid AS u, ?::bool AS o, ?::text AS x, ?::int[] AS a, ?::mood::text AS e, ?::timestamp AS l, ?::int2 AS s, ?::float4 AS g";

	static Object types(String... more) throws Exception {
		return connected(c -> {
			byte[] bytes = new byte[256];
			for (int i = 0; i < 256; i++)
				bytes[i] = (byte) i;
			OffsetDateTime when = OffsetDateTime.of(2020, 2, 29, 12, 34, 56, 789012000, ZoneOffset.UTC);
			Array array = c.createArrayOf("int4", new Integer[] {1, null, 3});
			UUID uuid = new UUID(0, 7);
			Object[] given = {-5, Long.MAX_VALUE, new BigDecimal("12345678901234567890.0123456789"), 0.1, "ü€𝄞'\\\"%?", bytes, when, LocalDate.of(1, 1, 1),
				"{\"a\": [1, null]}", uuid, true, null, array, "happy", LocalDateTime.of(1999, 12, 31, 23, 59, 59), (short) 7, 1.5f};
			List<Object> out = new ArrayList<>();
			try (PreparedStatement s = c.prepareStatement(TYPED)) {
				for (int round = 0; round < 8; round++) {
					for (int i = 0; i < given.length; i++)
						if (given[i] == null)
							s.setNull(i + 1, Types.VARCHAR);
						else
							s.setObject(i + 1, given[i]);
					try (ResultSet r = s.executeQuery()) {
						r.next();
						List<Object> row = new ArrayList<>();
						for (int i = 1; i <= given.length; i++)
							row.add(i == 7 ? r.getObject(i, OffsetDateTime.class) : i == 8 ? r.getObject(i, LocalDate.class) : i == 15 ? r.getObject(i, LocalDateTime.class)
								: i == 13 ? r.getArray(i).getArray() : i == 16 ? (Object) r.getShort(i) : i == 6 ? r.getBytes(i) : r.getObject(i));
						List<Object> want = new ArrayList<>(Arrays.asList(given));
						want.set(12, new Integer[] {1, null, 3});
						same(row, want);
						r.getString("x");
						same(r.wasNull(), true);
						if (round == 0) {
							ResultSetMetaData m = r.getMetaData();
							for (int i = 1; i <= m.getColumnCount(); i++)
								out.add(Arrays.asList(m.getColumnName(i), m.getColumnTypeName(i), m.getColumnType(i), m.getPrecision(i)));
							out.add(row);
						}
					}
				}
				ParameterMetaData p = s.getParameterMetaData();
				for (int i = 1; i <= p.getParameterCount(); i++)
					out.add(p.getParameterTypeName(i));
			}
			return out;
		}, more);
	}

	@Case
	static Object types_by_default(Me me) throws Exception {
		return types();
	}

	@Case
	static Object types_binary_at_once(Me me) throws Exception {
		return types("prepareThreshold", "-1");
	}

	@Case
	static Object types_prepared_at_once(Me me) throws Exception {
		return types("prepareThreshold", "1");
	}

	@Case
	static Object types_text_only(Me me) throws Exception {
		return types("binaryTransfer", "false", "prepareThreshold", "2");
	}

	static Object modes(Me me, String... more) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			try (PreparedStatement s = c.prepareStatement("SELECT ?::int + ?::int"); PreparedStatement t = c.prepareStatement("SELECT ?::text || 'x'");
			     Statement plain = c.createStatement()) {
				for (int i = 0; i < 12; i++) {
					same(value(s, i, me.number()), i + me.number());
					same(value(t, me.who()), me.who() + "x");
					try (ResultSet r = plain.executeQuery("SELECT " + i)) {
						r.next();
						same(r.getInt(1), i);
					}
				}
				out.add(s.unwrap(PGStatement.class).isUseServerPrepare());
				out.add(told(fails(() -> value(c, "SELECT 1 / ?::int", 0))).get(0));
				out.add(value(s, 1, 2));
			}
			return out;
		}, more);
	}

	@Case
	static Object mode_simple(Me me) throws Exception {
		return modes(me, "preferQueryMode", "simple");
	}

	@Case
	static Object mode_extended(Me me) throws Exception {
		return modes(me, "preferQueryMode", "extended");
	}

	@Case
	static Object mode_extended_for_prepared(Me me) throws Exception {
		return modes(me, "preferQueryMode", "extendedForPrepared");
	}

	@Case
	static Object mode_cache_everything(Me me) throws Exception {
		return modes(me, "preferQueryMode", "extendedCacheEverything");
	}

	@Case
	static Object threshold_one(Me me) throws Exception {
		return modes(me, "prepareThreshold", "1");
	}

	@Case
	static Object threshold_never(Me me) throws Exception {
		return modes(me, "prepareThreshold", "0");
	}

	@Case
	static Object statement_cache(Me me) throws Exception {
		/* Its own cache is small: it closes statements and prepares them again under new names. */
		return connected(c -> {
			for (int round = 0; round < 3; round++)
				for (int i = 0; i < 12; i++)
					same(value(c, "SELECT ?::int + " + i, round), round + i);
			return null;
		}, "prepareThreshold", "1", "preparedStatementCacheQueries", "3");
	}

	@Case
	static Object prepare_many(Me me) throws Exception {
		return connected(c -> {
			for (int round = 0; round < 2; round++)
				for (int i = 0; i < 60; i++)
					same(value(c, "SELECT ?::int + " + i + " + " + me.number(), round), round + i + me.number());
			return null;
		}, "prepareThreshold", "1");
	}

	@Case
	static Object prepare_a_wrong_one(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			for (int i = 0; i < 3; i++) {
				out.add(told(fails(() -> value(c, "SELECT * FROM nowhere WHERE a = ?", 1))));
				out.add(told(fails(() -> value(c, "SELECT 1 / ?::int", 0))));
				same(value(c, "SELECT ?::text", me.who()), me.who());
			}
			return out;
		}, "prepareThreshold", "1");
	}

	static Object batches(Me me, String... more) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			update(c, "DELETE FROM items WHERE who = ?", me.who());
			c.setAutoCommit(false);
			try (PreparedStatement s = c.prepareStatement("INSERT INTO items VALUES (?, ?, ?)")) {
				for (int round = 0; round < 3; round++) {
					for (int i = 0; i < 300; i++) {
						s.setString(1, me.who());
						s.setInt(2, round * 1000 + i);
						s.setString(3, "text of row " + i);
						s.addBatch();
					}
					out.add(s.executeBatch().length);
				}
			}
			c.commit();
			out.add(value(c, "SELECT count(*) FROM items WHERE who = ?", me.who()));
			try (PreparedStatement s = c.prepareStatement("INSERT INTO items VALUES (?, ?)")) {
				for (int i : new int[] {1, 2, 1000000, 3}) {
					s.setString(1, me.who());
					s.setInt(2, i);
					s.addBatch();
				}
				BatchUpdateException e = (BatchUpdateException) fails(s::executeBatch);
				out.add(e.getUpdateCounts().length);
				out.add(e.getSQLState());
			}
			c.rollback();
			try (Statement s = c.createStatement()) {
				s.addBatch("INSERT INTO items VALUES ('" + me.who() + "', 5000)");
				s.addBatch("UPDATE items SET t = 'u' WHERE who = '" + me.who() + "'");
				s.addBatch("DELETE FROM items WHERE who = '" + me.who() + "' AND n >= 2000");
				out.add(s.executeBatch());
			}
			c.commit();
			try (PreparedStatement s = c.prepareStatement("INSERT INTO items VALUES (?, ?, 'k')", new String[] {"n"})) {
				for (int i = 0; i < 50; i++) {
					s.setString(1, me.who());
					s.setInt(2, i);
					s.addBatch();
				}
				s.executeBatch();
				int n = 0;
				try (ResultSet r = s.getGeneratedKeys()) {
					while (r.next())
						n += r.getInt(1);
				}
				out.add(n);
			}
			c.commit();
			return out;
		}, more);
	}

	@Case
	static Object batch(Me me) throws Exception {
		return batches(me);
	}

	@Case
	static Object batch_rewritten(Me me) throws Exception {
		return batches(me, "reWriteBatchedInserts", "true");
	}

	@Case
	static Object batch_prepared_at_once(Me me) throws Exception {
		return batches(me, "prepareThreshold", "1");
	}

	@Case
	static Object transactions(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			update(c, "DELETE FROM items WHERE who = ?", me.who());
			c.setAutoCommit(false);
			update(c, "INSERT INTO items VALUES (?, 1)", me.who());
			Savepoint s = c.setSavepoint("s");
			out.add(fails(() -> update(c, "INSERT INTO items VALUES (?, 1000000)", me.who())).getSQLState());
			out.add(told(fails(() -> value(c, "SELECT 1"))));
			c.rollback(s);
			update(c, "INSERT INTO items VALUES (?, 2)", me.who());
			c.commit();
			update(c, "INSERT INTO items VALUES (?, 3)", me.who());
			c.rollback();
			out.add(value(c, "SELECT array_agg(n ORDER BY n)::text FROM items WHERE who = ?", me.who()));
			c.commit();
			c.setAutoCommit(true);
			out.add(value(c, "SELECT 'auto'"));
			return out;
		});
	}

	@Case(session = true)
	static Object isolation(Me me) throws Exception {
		/* The driver says SET SESSION CHARACTERISTICS: that stays with the server. */
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			c.setAutoCommit(false);
			for (int level : new int[] {Connection.TRANSACTION_SERIALIZABLE, Connection.TRANSACTION_REPEATABLE_READ}) {
				c.setTransactionIsolation(level);
				out.add(value(c, "SHOW transaction_isolation"));
				c.commit();
			}
			return out;
		});
	}

	@Case
	static Object read_only(Me me) throws Exception {
		/* The driver says it at BEGIN. */
		return connected(c -> {
			c.setReadOnly(true);
			c.setAutoCommit(false);
			Object code = fails(() -> update(c, "INSERT INTO items VALUES ('x', 1)")).getSQLState();
			c.rollback();
			c.setReadOnly(false);
			update(c, "INSERT INTO items VALUES (?, 1)", me.who());
			c.rollback();
			return code;
		}, "readOnlyMode", "transaction");
	}

	@Case
	static Object autosave(Me me) throws Exception {
		/* A savepoint before each statement; and a plan that changes is prepared anew. */
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			String t = "changing_jdbc_" + MODE + "_" + me.number();
			try (Connection other = connect()) {
				update(other, "DROP TABLE IF EXISTS " + t);
				update(other, "CREATE TABLE " + t + " AS SELECT 1 AS a");
				c.setAutoCommit(false);
				try (PreparedStatement s = c.prepareStatement("SELECT * FROM " + t)) {
					for (int i = 0; i < 3; i++) {
						out.add(value(s));
						out.add(fails(() -> value(c, "SELECT 1 / ?::int", 0)).getSQLState());
						out.add(value(s));
					}
					c.commit();
					update(other, "ALTER TABLE " + t + " ADD b text DEFAULT 'new'");
					try (ResultSet r = s.executeQuery()) {
						r.next();
						out.add(r.getMetaData().getColumnCount());
						out.add(r.getString(2));
					}
					c.commit();
				}
				update(other, "DROP TABLE " + t);
			}
			return out;
		}, "autosave", "always", "prepareThreshold", "1");
	}

	static long sum(Connection c, int fetch, int rows) throws SQLException {
		try (PreparedStatement s = c.prepareStatement("SELECT n, repeat('x', 20) FROM generate_series(1, ?) n")) {
			s.setFetchSize(fetch);
			s.setInt(1, rows);
			long n = 0;
			try (ResultSet r = s.executeQuery()) {
				while (r.next()) {
					n += r.getInt(1);
					if (n % 999 == 0)
						same(value(c, "SELECT ?::int", 7), 7);
				}
			}
			return n;
		}
	}

	@Case
	static Object fetch_size(Me me) throws Exception {
		/* A named portal that is suspended, while other statements go in between. */
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			c.setAutoCommit(false);
			for (int i = 0; i < 7; i++)
				out.add(sum(c, 30, 1000));
			try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY);
			     ResultSet r = s.executeQuery("SELECT generate_series(1, 100)")) {
				r.absolute(50);
				out.add(r.getInt(1));
				r.previous();
				out.add(r.getInt(1));
			}
			c.commit();
			c.setAutoCommit(true);
			out.add(sum(c, 30, 500));
			try (Statement s = c.createStatement()) {
				s.setMaxRows(5);
				try (ResultSet r = s.executeQuery("SELECT generate_series(1, 100)")) {
					int n = 0;
					while (r.next())
						n++;
					out.add(n);
				}
			}
			return out;
		});
	}

	@Case
	static Object fetch_size_prepared_and_failing(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			c.setAutoCommit(false);
			for (int i = 0; i < 3; i++) {
				out.add(sum(c, 7, 100));
				try (PreparedStatement s = c.prepareStatement("SELECT 1 / (n - ?) FROM generate_series(1, 100) n")) {
					s.setFetchSize(10);
					s.setInt(1, 55);
					out.add(fails(() -> {
						try (ResultSet r = s.executeQuery()) {
							while (r.next())
								r.getInt(1);
						}
					}).getSQLState());
				}
				c.rollback();
			}
			return out;
		}, "prepareThreshold", "1");
	}

	@Case
	static Object copy(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			update(c, "DELETE FROM items WHERE who = ?", me.who());
			CopyManager m = c.unwrap(PGConnection.class).getCopyAPI();
			StringBuilder b = new StringBuilder();
			for (int i = 0; i < 5000; i++)
				b.append(me.who()).append('\t').append(i).append("\tü").append('\n');
			out.add(m.copyIn("COPY items FROM STDIN", new StringReader(b.toString())));
			CopyIn in = m.copyIn("COPY items FROM STDIN (FORMAT csv)");
			byte[] line = ("\"" + me.who() + "\",6000,\"a,b\"\n").getBytes("UTF-8");
			for (int i = 0; i < 100; i++)
				in.writeToCopy(line, 0, line.length);
			out.add(in.endCopy());
			in = m.copyIn("COPY items FROM STDIN (FORMAT csv)");
			in.writeToCopy(line, 0, line.length);
			in.cancelCopy();
			StringWriter w = new StringWriter();
			out.add(m.copyOut("COPY (SELECT n, t FROM items WHERE who = '" + me.who() + "' ORDER BY n) TO STDOUT", w));
			out.add(w.toString().length());
			out.add(fails(() -> m.copyIn("COPY items FROM STDIN", new StringReader("x\ty\tz\n"))).getSQLState());
			out.add(fails(() -> m.copyIn("COPY items FROM STDIN", new StringReader("x\t1000000\tz\n"))).getSQLState());
			out.add(fails(() -> m.copyIn("COPY nowhere FROM STDIN", new StringReader(""))).getSQLState());
			out.add(fails(() -> m.copyOut("COPY (SELECT 1/(n-500) FROM generate_series(1, 900) n) TO STDOUT", new StringWriter())).getSQLState());
			out.add(value(c, "SELECT count(*) FROM items WHERE who = ?", me.who()));
			return out;
		});
	}

	@Case
	static Object cancel(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			for (int i = 0; i < 2; i++) {
				/* A warning is seen while the statement runs: then it has a server. */
				try (PreparedStatement s = c.prepareStatement("SELECT say_and_sleep(?, 30)")) {
					s.setString(1, "now");
					Thread t = new Thread(() -> {
						try {
							while (s.getWarnings() == null)
								Thread.sleep(20);
							s.cancel();
						} catch (SQLException | InterruptedException e) {
							throw new RuntimeException(e);
						}
					});
					t.start();
					out.add(told(fails(s::executeQuery)).subList(0, 3));
					t.join();
				}
				out.add(value(c, "SELECT 'after'"));
			}
			return out;
		});
	}

	@Case
	static Object query_timeout(Me me) throws Exception {
		/* A timer of the driver cancels. Inside a transaction: the server is there already. */
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			c.setAutoCommit(false);
			value(c, "SELECT 1");
			try (PreparedStatement s = c.prepareStatement("SELECT pg_sleep(30)")) {
				s.setQueryTimeout(0);
				((org.postgresql.jdbc.PgStatement) s.unwrap(PGStatement.class)).setQueryTimeoutMs(150);
				out.add(fails(s::executeQuery).getSQLState());
			}
			c.rollback();
			out.add(value(c, "SELECT 'after'"));
			c.commit();
			return out;
		});
	}

	@Case
	static Object errors(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			for (String sql : List.of("SELEC", "SELECT * FROM nowhere", "SELECT fail('told')", "INSERT INTO items VALUES ('x', 1000000)", "SELECT 1; SELECT 1/0; SELECT 2", "SELECT 'x'::int")) {
				try (Statement s = c.createStatement()) {
					out.add(told(fails(() -> s.execute(sql))));
				}
				same(value(c, "SELECT ?::text", me.who()), me.who());
			}
			return out;
		});
	}

	@Case
	static Object notices(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			try (Statement s = c.createStatement()) {
				s.execute("SELECT shout('one'); SELECT shout('two')");
				for (SQLWarning w = s.getWarnings(); w != null; w = w.getNextWarning())
					out.add(Arrays.asList(w.getSQLState(), w.getMessage()));
			}
			try (PreparedStatement s = c.prepareStatement("SELECT shout(?)")) {
				for (int i = 0; i < 12; i++) {
					s.setString(1, me.number() + "-" + i);
					s.executeQuery().close();
					same(s.getWarnings().getMessage(), me.number() + "-" + i);
					s.clearWarnings();
				}
			}
			return out;
		});
	}

	@Case
	static Object several_results(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			try (Statement s = c.createStatement()) {
				boolean rows = s.execute("SELECT 1; CREATE TEMP TABLE t(a int) ON COMMIT DROP; SELECT 2, 3; DELETE FROM items WHERE false");
				for (;;) {
					if (rows) {
						ResultSet r = s.getResultSet();
						r.next();
						out.add(r.getInt(1));
					} else if (s.getUpdateCount() == -1)
						break;
					else
						out.add("updated " + s.getUpdateCount());
					rows = s.getMoreResults();
				}
			}
			return out;
		});
	}

	@Case
	static Object metadata(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			DatabaseMetaData d = c.getMetaData();
			try (ResultSet r = d.getColumns(null, "public", "items", null)) {
				while (r.next())
					out.add(Arrays.asList(r.getString("COLUMN_NAME"), r.getString("TYPE_NAME"), r.getInt("NULLABLE")));
			}
			try (ResultSet r = d.getPrimaryKeys(null, "public", "numbered")) {
				while (r.next())
					out.add(r.getString("COLUMN_NAME"));
			}
			return out;
		});
	}

	@Case
	static Object generated_keys(Me me) throws Exception {
		return connected(c -> {
			update(c, "DELETE FROM numbered WHERE who = ?", me.who());
			try (PreparedStatement s = c.prepareStatement("INSERT INTO numbered(who, t) VALUES (?, 'x') ON CONFLICT (who) DO UPDATE SET t = 'y'", Statement.RETURN_GENERATED_KEYS)) {
				s.setString(1, me.who());
				s.executeUpdate();
				try (ResultSet r = s.getGeneratedKeys()) {
					same(r.next(), true);
					same(value(c, "SELECT id FROM numbered WHERE who = ?", me.who()), r.getInt(1));
				}
				return s.executeUpdate();
			}
		});
	}

	@Case
	static Object startup_settings(Me me) throws Exception {
		return connected(c -> {
			List<Object> out = new ArrayList<>();
			for (int i = 0; i < 5; i++) {
				same(value(c, "SELECT current_setting('my.own')"), "v" + me.number());
				out.add(value(c, "SELECT place FROM where_am_i"));
				out.add(value(c, "SHOW statement_timeout"));
				out.add(value(c, "SHOW lock_timeout"));
			}
			return out;
		}, "options", "-c search_path=other -c statement_timeout=12345 -c lock_timeout=4321 -c my.own=v" + me.number());
	}

	@Case
	static Object current_schema(Me me) throws Exception {
		return connected(c -> Arrays.asList(value(c, "SELECT place FROM where_am_i"), c.getSchema()), "currentSchema", "other");
	}

	@Case
	static Object parameters_stay_with_the_client(Me me) throws Exception {
		return connected(c -> {
			String zone = List.of("Asia/Tokyo", "Europe/Paris", "UTC").get(me.number() % 3);
			update(c, "SET TimeZone = '" + zone + "'");
			c.setClientInfo("ApplicationName", "renamed-" + me.number());
			for (int i = 0; i < 15; i++) {
				same(value(c, "SHOW TimeZone"), zone);
				same(value(c, "SHOW application_name"), "renamed-" + me.number());
			}
			return null;
		});
	}

	@Case
	static Object large(Me me) throws Exception {
		return connected(c -> {
			String echo = "ü".repeat(200000);
			same(value(c, "SELECT ?::text", echo).equals(echo), true);
			return sum(c, 0, 5000);
		});
	}

	@Case
	static Object large_objects(Me me) throws Exception {
		/* They speak FunctionCall. */
		return connected(c -> {
			c.setAutoCommit(false);
			var m = c.unwrap(PGConnection.class).getLargeObjectAPI();
			long oid = m.createLO();
			byte[] data = "large object ".repeat(5000).getBytes("UTF-8");
			var o = m.open(oid);
			o.write(data);
			o.seek(5);
			byte[] some = o.read(10);
			o.close();
			m.delete(oid);
			c.commit();
			return new String(some, "UTF-8");
		});
	}

	@Case
	static Object deallocated_by_sql(Me me) throws Exception {
		/* The driver sees the command tags, and prepares anew. */
		return connected(c -> {
			c.setAutoCommit(false);
			try (PreparedStatement s = c.prepareStatement("SELECT ?::int")) {
				for (int i = 0; i < 4; i++) {
					same(value(s, i), i);
					same(value(s, i), i);
					update(c, "DEALLOCATE ALL");
					if (i % 2 == 1)
						c.commit();
				}
			}
			c.rollback();
			return null;
		}, "prepareThreshold", "1");
	}

	@Case
	static Object changed_plan(Me me) throws Exception {
		/* Outside of a transaction nobody is to see "cached plan must not change result type". */
		return connected(c -> {
			String t = "plan_jdbc_" + MODE + "_" + me.number();
			update(c, "DROP TABLE IF EXISTS " + t);
			update(c, "CREATE TABLE " + t + " AS SELECT 1 AS a");
			List<Object> out = new ArrayList<>();
			try (PreparedStatement s = c.prepareStatement("SELECT * FROM " + t)) {
				for (int i = 0; i < 3; i++)
					out.add(value(s));
				update(c, "ALTER TABLE " + t + " ADD b text DEFAULT 'new'");
				try (ResultSet r = s.executeQuery()) {
					r.next();
					out.add(r.getMetaData().getColumnCount());
				}
			}
			update(c, "DROP TABLE " + t);
			return out;
		}, "prepareThreshold", "1", "autosave", "conservative");
	}

	@Case
	static Object wrong_password(Me me) throws Exception {
		return told(fails(() -> connect("password", "wrong").close())).subList(0, 2);
	}

	@Case
	static Object no_such_database(Me me) throws Exception {
		Properties p = new Properties();
		p.setProperty("user", ENV.get("CLIENT_USER"));
		p.setProperty("password", ENV.get("CLIENT_PASSWORD"));
		return fails(() -> DriverManager.getConnection(URL.replaceAll("/[^/]*$", "/no_such_database"), p).close()).getSQLState();
	}

	@Case(session = true)
	static Object listen(Me me) throws Exception {
		return connected(c -> {
			update(c, "LISTEN jdbc_" + me.number());
			update(c, "NOTIFY jdbc_" + me.number() + ", 'hello'");
			PGConnection p = c.unwrap(PGConnection.class);
			PGNotification[] n = p.getNotifications(10000);
			same(n.length, 1);
			same(n[0].getPID(), p.getBackendPID());
			same(value(c, "SELECT pg_backend_pid()"), p.getBackendPID());
			return n[0].getParameter();
		});
	}

	@Case
	static Object locks_between_users(Me me) throws Exception {
		return connected(c -> {
			c.setAutoCommit(false);
			for (int i = 0; i < 5; i++) {
				update(c, "UPDATE counter SET n = n + 1 WHERE name = ?", "jdbc/" + MODE);
				c.commit();
			}
			return null;
		});
	}

	// ---- running them ----

	static String cut(String s, int n) {
		return s.length() <= n ? s : s.substring(0, n);
	}

	/** The same value gives the same text in every run. */
	static String json(Object x) {
		if (x == null)
			return "null";
		if (x instanceof Boolean || x instanceof Integer || x instanceof Long || x instanceof Short)
			return x.toString();
		if (x instanceof byte[] b)
			return '"' + "bytes:" + HexFormat.of().formatHex(b) + '"';
		if (x instanceof int[] a)
			return Arrays.toString(a);
		if (x instanceof Object[] a)
			return json(Arrays.asList(a));
		if (x instanceof List<?> l) {
			StringJoiner j = new StringJoiner(",", "[", "]");
			for (Object o : l)
				j.add(json(o));
			return j.toString();
		}
		StringBuilder b = new StringBuilder("\"");
		for (char ch : x.toString().toCharArray()) {
			if (ch == '"' || ch == '\\')
				b.append('\\').append(ch);
			else if (ch < 32 || ch > 126)
				b.append(String.format("\\u%04x", (int) ch));
			else
				b.append(ch);
		}
		return b.append('"').toString();
	}

	static void say(String line) {
		System.out.println(line);
		System.out.flush();
	}

	static String trace(Throwable e) {
		StringWriter w = new StringWriter();
		e.printStackTrace(new PrintWriter(w));
		return cut(w.toString(), 1800);
	}

	static void run(String name, ExecutorService threads) throws Exception {
		say("{\"start\":" + json(name) + "}");
		long began = System.nanoTime();
		Method f = Jdbc.class.getDeclaredMethod(name, Me.class);
		CyclicBarrier together = new CyclicBarrier(USERS);
		List<Future<String>> all = new ArrayList<>();
		for (int i = 0; i < USERS; i++) {
			Me me = new Me(i, "jdbc/" + name + "/" + MODE + "/" + i);
			all.add(threads.submit(() -> {
				together.await();
				return json(f.invoke(null, me));
			}));
		}
		List<String> values = new ArrayList<>(), errors = new ArrayList<>();
		for (int i = 0; i < USERS; i++) {
			try {
				values.add(all.get(i).get());
			} catch (ExecutionException e) {
				Throwable cause = e.getCause() instanceof InvocationTargetException t ? t.getCause() : e.getCause();
				errors.add("user " + i + ": " + trace(cause));
			}
		}
		for (int i = 1; errors.isEmpty() && i < USERS; i++)
			if (!values.get(i).equals(values.get(0)))
				errors.add(cut("user 0 and user " + i + " have different values\n" + values.get(0) + "\n" + values.get(i), 3000));
		say("{\"case\":" + json(name) + ",\"value\":" + (values.isEmpty() ? "null" : values.get(0)) + ",\"errors\":" + json(errors)
			+ ",\"seconds\":" + (System.nanoTime() - began) / 10_000_000 / 100.0 + "}");
	}

	public static void main(String[] args) throws Exception {
		Locale.setDefault(Locale.ROOT);
		TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
		ExecutorService threads = Executors.newFixedThreadPool(USERS);
		for (String name : args)
			run(name, threads);
		System.exit(0);
	}
}
